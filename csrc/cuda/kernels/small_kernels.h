// The gradients have two helpers: one for positions that no tap reaches, and one for the sum over parts.
#pragma once

#include "padding.h"

namespace tapconv::cuda {

inline constexpr int small_threads = 256;

template <class Element, bool WideOutput>
struct Fill {
  using Launch = FillLaunch;
  using Arguments = FillArguments;
  static constexpr int max_threads = small_threads;
  static constexpr bool spills = false;
  struct Registers {};

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;

  TAPCONV_DEVICE Fill(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {}
  TAPCONV_DEVICE int64_t rounds() const { return 0; }
  TAPCONV_DEVICE void begin(Registers&) const {}
  TAPCONV_DEVICE void stage(int64_t) const {}
  TAPCONV_DEVICE void compute(int64_t, Registers&) const {}

  TAPCONV_DEVICE void finish(Registers&) const {
    const int64_t number = thread.block * launch.grid.threads + thread.index;
    if (number >= launch.batch * launch.channels * launch.length) return;
    const int64_t row = number / launch.length;
    const int64_t i = number - row * launch.length;
    const int64_t n = row / launch.channels;
    const int64_t offset =
        n * launch.strides.batch + (row - n * launch.channels) * launch.strides.channel + i * launch.strides.time;
    const Wide<Element> sum = border_sum<Wide<Element>>(arguments.borders, row, i);
    if constexpr (WideOutput) {
      static_cast<Wide<Element>*>(arguments.output)[offset] = sum;
    } else {
      narrow(sum, static_cast<Element*>(arguments.output) + offset);
    }
  }
};

template <class Element>
struct SumParts {
  using Launch = SumPartsLaunch;
  using Arguments = SumPartsArguments;
  static constexpr int max_threads = small_threads;
  static constexpr bool spills = false;
  struct Registers {};

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;

  TAPCONV_DEVICE SumParts(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {}
  TAPCONV_DEVICE int64_t rounds() const { return 0; }
  TAPCONV_DEVICE void begin(Registers&) const {}
  TAPCONV_DEVICE void stage(int64_t) const {}
  TAPCONV_DEVICE void compute(int64_t, Registers&) const {}

  TAPCONV_DEVICE void finish(Registers&) const {
    const int64_t count = launch.outer * launch.middle * launch.inner;
    const int64_t number = thread.block * launch.grid.threads + thread.index;
    if (number >= count) return;
    const Wide<Element>* part = static_cast<const Wide<Element>*>(arguments.parts) + number;
    Wide<Element> sum = 0;
    for (int64_t i = 0; i < launch.parts; ++i) sum += part[i * count];
    const int64_t row = number / launch.inner;
    const int64_t outer = row / launch.middle;
    const int64_t offset = outer * launch.strides.out_channel +
                           (row - outer * launch.middle) * launch.strides.in_channel +
                           (number - row * launch.inner) * launch.strides.tap;
    narrow(sum, static_cast<Element*>(arguments.sums) + offset);
  }
};

}  // namespace tapconv::cuda
