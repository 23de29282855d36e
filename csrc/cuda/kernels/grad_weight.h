// The weight gradient sums products of grad_output and rows over samples and times. A block stages both, each thread
// holds a register tile of output channels and (channel, tap) pairs for its slice of the times, and the slices are
// added up in order. Blocks leave partial sums, which a second kernel adds up in order (small_kernels.h), so that there
// are no atomics, and the same bits every time.
#pragma once

#include "rows.h"

namespace tapconv::cuda {

inline constexpr int grad_weight_pairs = 4;  // (channel, tap) pairs of a thread
inline constexpr int grad_weight_threads = 128;

// Shared memory holds rows, then gradients as [time][out_channel]; at the end, it holds sums as
// [slice][out_channel][pair].
template <class Element, class Index, int Outs>
struct GradWeight {
  using Launch = GradWeightLaunch;
  using Arguments = GradWeightArguments;
  using Sum = Wide<Element>;
  static constexpr int max_threads = grad_weight_threads;
  static constexpr bool spills = true;
  struct Registers {
    Sum sum[Outs][grad_weight_pairs];
    Sum bias[Outs];
  };

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;
  int64_t part;
  int64_t group;
  int64_t first_out;  // within the group
  int64_t first_channel;
  int64_t first_tap;
  int outs;
  int channels;
  int taps;
  int pair_index;
  int out_index;
  int slice;
  Sum* row_samples;
  Sum* gradients;

  TAPCONV_DEVICE GradWeight(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {
    const kernels::Problem& p = launch.problem;
    int64_t rest = thread.block;
    const auto take = [&rest](int64_t count) {
      const int64_t whole = rest / count;
      const int64_t index = rest - whole * count;
      rest = whole;
      return index;
    };
    const auto at_most = [](int64_t left, int block) { return left < block ? static_cast<int>(left) : block; };
    first_tap = take(launch.tap_blocks) * launch.tap_block;
    first_channel = take(launch.channel_blocks) * launch.channel_block;
    first_out = take(launch.out_blocks) * launch.out_block;
    group = take(p.groups);
    part = rest;
    outs = at_most(p.out_channels / p.groups - first_out, launch.out_block);
    channels = at_most(p.in_channels / p.groups - first_channel, launch.channel_block);
    taps = at_most(p.kernel_size - first_tap, launch.tap_block);
    slice = thread.index % launch.slices;
    pair_index = thread.index / launch.slices % launch.tap_threads;
    out_index = thread.index / (launch.slices * launch.tap_threads);
    row_samples = reinterpret_cast<Sum*>(thread.shared);
    gradients = row_samples + launch.channel_block * launch.rows.row_length;
  }

  TAPCONV_DEVICE int64_t rounds() const {
    const int64_t left = launch.problem.batch * launch.time_blocks - part * launch.steps_per_part;
    return left < launch.steps_per_part ? left : launch.steps_per_part;
  }

  // The sample and the outputs of a round.
  struct Step {
    int64_t sample;
    int64_t first_time;
    int times;
  };

  TAPCONV_DEVICE Step step_of(int64_t round) const {
    const int64_t number = part * launch.steps_per_part + round;
    Step step;
    step.sample = number / launch.time_blocks;
    step.first_time = (number - step.sample * launch.time_blocks) * launch.time_block;
    const int64_t left = launch.problem.output_length - step.first_time;
    step.times = left < launch.time_block ? static_cast<int>(left) : launch.time_block;
    return step;
  }

  TAPCONV_DEVICE const Element* channel_of(const Step& step, int channel) const {
    const kernels::Problem& p = launch.problem;
    return static_cast<const Element*>(arguments.input) + step.sample * p.input_strides.batch +
           (group * (p.in_channels / p.groups) + first_channel + channel) * p.input_strides.channel;
  }

  TAPCONV_DEVICE int64_t first_position(const Step& step) const {
    const kernels::Problem& p = launch.problem;
    return step.first_time * p.stride + first_tap * p.dilation - p.padding_left;
  }

  TAPCONV_DEVICE void begin(Registers& registers) const {
    TAPCONV_UNROLL
    for (int o = 0; o < Outs; ++o) {
      registers.bias[o] = 0;
      TAPCONV_UNROLL
      for (int j = 0; j < grad_weight_pairs; ++j) registers.sum[o][j] = 0;
    }
  }

  TAPCONV_DEVICE void stage(int64_t round) const {
    const kernels::Problem& p = launch.problem;
    const Step step = step_of(round);
    const int segments = taps < launch.rows.segments ? taps : launch.rows.segments;
    stage_rows<Element, Index>(
        p, launch.rows, channels, segments, [&](int channel) { return channel_of(step, channel); },
        first_position(step), thread.index, launch.grid.threads, row_samples);
    const int64_t first = group * (p.out_channels / p.groups) + first_out;
    const Element* const from = static_cast<const Element*>(arguments.grad_output) +
                                step.sample * p.output_strides.batch + first * p.output_strides.channel +
                                step.first_time * p.output_strides.time;
    const Index time_stride = static_cast<Index>(p.output_strides.time);
    for (int i = thread.index; i < launch.out_block * step.times; i += launch.grid.threads) {
      const int o = i / step.times;
      const int time = i - o * step.times;
      Sum gradient = 0;
      if (o < outs) gradient = widen(from[o * p.output_strides.channel + time * time_stride]);
      gradients[time * launch.gradient_stride + o] = gradient;
    }
  }

  // Pairs of a thread lie tap_threads apart; those beyond the last one repeat it and are never written.
  TAPCONV_DEVICE int pair_of(int j) const {
    const int pair = pair_index + j * launch.tap_threads;
    return pair < channels * taps ? pair : channels * taps - 1;
  }

  TAPCONV_DEVICE void compute(int64_t round, Registers& registers) const {
    const Step step = step_of(round);
    const Sum* rows[grad_weight_pairs];
    TAPCONV_UNROLL
    for (int j = 0; j < grad_weight_pairs; ++j) {
      const int pair = pair_of(j);
      const int channel = pair / taps;
      const int tap = pair - channel * taps;
      const int in_segment = tap / launch.rows.segments;
      const int segment = tap - in_segment * launch.rows.segments;
      rows[j] = row_samples + channel * launch.rows.row_length + segment * launch.rows.segment_length +
                in_segment * launch.rows.tap_distance +
                row_shift(launch.rows, channel_of(step, channel), first_position(step));
    }
    const Sum* const gradient_row = gradients + out_index * Outs;
    for (int time = slice; time < step.times; time += launch.slices) {
      Sum gradient[Outs];
      load_gradients(gradient_row + time * launch.gradient_stride, gradient);
      TAPCONV_UNROLL
      for (int j = 0; j < grad_weight_pairs; ++j) {
        const Sum x = rows[j][time];
        TAPCONV_UNROLL
        for (int o = 0; o < Outs; ++o) registers.sum[o][j] += gradient[o] * x;
      }
      TAPCONV_UNROLL
      for (int o = 0; o < Outs; ++o) registers.bias[o] += gradient[o];
    }
  }

  TAPCONV_DEVICE void load_gradients(const Sum* from, Sum (&gradient)[Outs]) const {
    if constexpr (Outs % Vector<Sum>::size == 0) {
      TAPCONV_UNROLL
      for (int o = 0; o < Outs; o += Vector<Sum>::size) {
        const Vector<Sum> loaded = *reinterpret_cast<const Vector<Sum>*>(from + o);
        TAPCONV_UNROLL
        for (int i = 0; i < Vector<Sum>::size; ++i) gradient[o + i] = loaded.values[i];
      }
    } else {
      TAPCONV_UNROLL
      for (int o = 0; o < Outs; ++o) gradient[o] = from[o];
    }
  }

  // Returns the pairs of a block, and one more for the bias.
  TAPCONV_DEVICE int columns() const { return launch.tap_threads * grad_weight_pairs + 1; }

  TAPCONV_DEVICE void spill(Registers& registers) const {
    Sum* const sums = reinterpret_cast<Sum*>(thread.shared);
    TAPCONV_UNROLL
    for (int o = 0; o < Outs; ++o) {
      Sum* const row = sums + (slice * launch.out_block + out_index * Outs + o) * columns();
      TAPCONV_UNROLL
      for (int j = 0; j < grad_weight_pairs; ++j) row[pair_index + j * launch.tap_threads] = registers.sum[o][j];
      if (pair_index == 0) row[columns() - 1] = registers.bias[o];
    }
  }

  TAPCONV_DEVICE void finish(Registers&) const {
    const kernels::Problem& p = launch.problem;
    const Sum* const sums = reinterpret_cast<const Sum*>(thread.shared);
    const int pairs = channels * taps;
    const bool with_bias = arguments.bias_parts != nullptr && first_channel == 0 && first_tap == 0;
    const int64_t first = part * p.out_channels + group * (p.out_channels / p.groups) + first_out;
    for (int i = thread.index; i < outs * columns(); i += launch.grid.threads) {
      const int o = i / columns();
      const int column = i - o * columns();
      const bool is_bias = column == columns() - 1;
      if (is_bias ? !with_bias : column >= pairs) continue;
      Sum sum = 0;
      for (int s = 0; s < launch.slices; ++s) sum += sums[(s * launch.out_block + o) * columns() + column];
      if (is_bias) {
        static_cast<Sum*>(arguments.bias_parts)[first + o] = sum;
        continue;
      }
      const int channel = column / taps;
      const int64_t row = (first + o) * (p.in_channels / p.groups) + first_channel + channel;
      static_cast<Sum*>(arguments.parts)[row * p.kernel_size + first_tap + column - channel * taps] = sum;
    }
  }
};

}  // namespace tapconv::cuda
