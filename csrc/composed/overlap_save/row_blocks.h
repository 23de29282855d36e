// This file copies between activations and the blocks of overlap-save: padded, strided samples are gathered into rows,
// and results are put back.
#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cstdint>

#include "composed/overlap_save/block_division.h"
#include "kernels/core/integers.h"
#include "kernels/problem.h"
#include "kernels/rows/padding.h"

namespace tapconv::composed {

// These are evenly spaced positions of a channel. Position 0 is the first real sample.
struct Positions {
  int64_t first;
  int64_t step;
  int64_t count;
};

// The part [from, to) of the positions lies in [0, length).
struct Part {
  int64_t from;
  int64_t to;
};
inline Part part_inside(const Positions& p, int64_t length) {
  const int64_t from = p.first >= 0 ? 0 : kernels::ceil_div(-p.first, p.step);
  const int64_t to = length > p.first ? kernels::ceil_div(length - p.first, p.step) : 0;
  const int64_t end = std::min(to, p.count);
  return {std::min(from, end), end};
}

// Copies positions of one channel into a row, padding included. `input_length` and `input_strides.time` of the problem
// are the channel's. The rest of the row, up to `size`, is zero.
template <class Scalar, class Storage>
void gather(const kernels::Problem& problem, const Storage* channel, const Positions& p, int64_t size, Scalar* row) {
  const Part real = part_inside(p, problem.input_length);
  const auto border = [&](int64_t begin, int64_t end) {
    if (problem.padding_mode == kernels::PaddingMode::zeros) return std::fill(row + begin, row + end, Scalar(0));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t source = kernels::source_of(p.first + i * p.step, problem);
      row[i] = source < 0 ? Scalar(0) : static_cast<Scalar>(channel[source * problem.input_strides.time]);
    }
  };
  border(0, real.from);
  const int64_t apart = p.step * problem.input_strides.time;
  const Storage* const samples = channel + p.first * problem.input_strides.time;
  if (apart == 1) {
    for (int64_t i = real.from; i < real.to; ++i) row[i] = static_cast<Scalar>(samples[i]);
  } else {
    for (int64_t i = real.from; i < real.to; ++i) row[i] = static_cast<Scalar>(samples[i * apart]);
  }
  border(std::max(real.from, real.to), p.count);
  std::fill(row + p.count, row + size, Scalar(0));
}

// Copies into a row the samples of an input (a segment of a channel) that a block reads for its first `results`
// outputs.
template <class Scalar, class Storage>
void gather_input(const BlockDivision& d, const Storage* input, const Unit& u, int64_t channel, int64_t segment,
                  int64_t results, Scalar* row) {
  const kernels::Problem& p = d.p;
  const Storage* const from = input + u.sample * p.input_strides.batch + channel * p.input_strides.channel;
  const int64_t first = u.phase * p.stride + segment * p.dilation - p.padding_left + u.first * d.b.step;
  gather(p, from, {first, d.b.step, results == 0 ? 0 : results + d.taps_of(segment) - 1}, d.b.size, row);
}

// Copies into a row `count` gradients of a channel, from `before` results ahead of a block on.
template <class Scalar, class Storage>
void gather_gradient(const BlockDivision& d, const Storage* gradient, const Unit& u, int64_t channel, int64_t before,
                     int64_t count, Scalar* row) {
  kernels::Problem as_input = d.p;
  as_input.padding_mode = kernels::PaddingMode::zeros;
  as_input.input_length = d.p.output_length;
  as_input.input_strides = d.p.output_strides;
  const Storage* const from = gradient + u.sample * d.p.output_strides.batch + channel * d.p.output_strides.channel;
  gather(as_input, from, {u.phase + (u.first - before) * d.b.apart, d.b.apart, count}, d.b.size, row);
}

// Writes results, each with `bias` added, to those of the positions that lie in [0, length).
template <class Scalar, class To>
void scatter(const Scalar* results, const Positions& p, int64_t length, int64_t time_stride, Scalar bias, To* channel) {
  const Part real = part_inside(p, length);
  for (int64_t i = real.from; i < real.to; ++i) {
    channel[(p.first + i * p.step) * time_stride] = static_cast<To>(results[i] + bias);
  }
}

}  // namespace tapconv::composed
