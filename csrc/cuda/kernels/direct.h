// Dense and grouped convolution without tensor cores: a register tile of output channels and times in each thread, rows
// and weights in shared memory. The threads of a warp share output channels and take neighbouring times, so loads of
// rows meet every bank once and stores are whole lines.
#pragma once

#include "output.h"
#include "rows.h"

namespace tapconv::cuda {

inline constexpr int direct_times = 4;  // outputs of a thread
inline constexpr int direct_threads = 128;
inline constexpr int weight_slack = 4;  // spreads the weights of neighbouring taps over banks, and keeps vectors whole

// Shared memory holds rows, then weights as [channel][tap][out_channel]; at the end, it holds the sums.
template <class Element, class Index, int Outs>
struct Direct {
  using Launch = ForwardLaunch;
  using Arguments = ForwardArguments;
  using Sum = Wide<Element>;
  static constexpr int max_threads = direct_threads;
  static constexpr bool spills = true;
  struct Registers {
    Sum sum[Outs][direct_times];
  };

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;
  int64_t sample;
  int64_t group;
  int64_t first_out;  // within the group
  int outs;
  int64_t first_time;
  int time_threads;
  int time_index;
  int out_index;
  Sum* row_samples;
  Sum* weights;

  TAPCONV_DEVICE Direct(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {
    const int64_t time_block_index = thread.block % launch.time_blocks;
    int64_t rest = thread.block / launch.time_blocks;
    const int64_t out_block_index = rest % launch.out_blocks;
    rest /= launch.out_blocks;
    group = rest % launch.problem.groups;
    sample = rest / launch.problem.groups;
    first_out = out_block_index * launch.out_block;
    const int64_t outs_left = launch.problem.out_channels / launch.problem.groups - first_out;
    outs = outs_left < launch.out_block ? static_cast<int>(outs_left) : launch.out_block;
    first_time = time_block_index * launch.time_block;
    time_threads = launch.grid.threads / launch.out_threads;
    out_index = thread.index / time_threads;
    time_index = thread.index - out_index * time_threads;
    row_samples = reinterpret_cast<Sum*>(thread.shared);
    weights = row_samples + launch.channel_block * launch.rows.row_length;
  }

  TAPCONV_DEVICE int64_t in_per_group() const { return launch.problem.in_channels / launch.problem.groups; }
  TAPCONV_DEVICE int64_t tap_rounds() const {
    return (launch.problem.kernel_size + launch.tap_block - 1) / launch.tap_block;
  }
  TAPCONV_DEVICE int64_t rounds() const {
    return tap_rounds() * ((in_per_group() + launch.channel_block - 1) / launch.channel_block);
  }

  // The channels and taps of a round.
  struct Part {
    int64_t first_channel;
    int64_t first_tap;
    int channels;
    int taps;
  };

  TAPCONV_DEVICE Part part_of(int64_t round) const {
    const int64_t channel_round = round / tap_rounds();
    Part part;
    part.first_channel = channel_round * launch.channel_block;
    part.first_tap = (round - channel_round * tap_rounds()) * launch.tap_block;
    const int64_t channels = in_per_group() - part.first_channel;
    const int64_t taps = launch.problem.kernel_size - part.first_tap;
    part.channels = channels < launch.channel_block ? static_cast<int>(channels) : launch.channel_block;
    part.taps = taps < launch.tap_block ? static_cast<int>(taps) : launch.tap_block;
    return part;
  }

  TAPCONV_DEVICE int weight_stride() const { return launch.out_block + weight_slack; }

  TAPCONV_DEVICE void begin(Registers& registers) const {
    TAPCONV_UNROLL
    for (int o = 0; o < Outs; ++o) {
      TAPCONV_UNROLL
      for (int v = 0; v < direct_times; ++v) registers.sum[o][v] = 0;
    }
  }

  TAPCONV_DEVICE void stage(int64_t round) const {
    const kernels::Problem& p = launch.problem;
    const Part part = part_of(round);
    const Element* const first_channel = static_cast<const Element*>(arguments.input) + sample * p.input_strides.batch +
                                         (group * in_per_group() + part.first_channel) * p.input_strides.channel;
    const int segments = part.taps < launch.rows.segments ? part.taps : launch.rows.segments;
    stage_rows<Element, Index>(
        p, launch.rows, part.channels, segments, [&](int row) { return first_channel + row * p.input_strides.channel; },
        first_time * p.stride + part.first_tap * p.dilation - p.padding_left, thread.index, launch.grid.threads,
        row_samples);
    stage_weights(part);
  }

  // A warp takes an output channel, its threads take neighbouring taps.
  TAPCONV_DEVICE void stage_weights(const Part& part) const {
    const kernels::Problem& p = launch.problem;
    const int warps = launch.grid.threads / warp_threads;
    const int products = part.channels * part.taps;
    for (int o = thread.index / warp_threads; o < launch.out_block; o += warps) {
      const Element* const from =
          static_cast<const Element*>(arguments.weight) + weight_offset(launch, group, first_out + o) +
          part.first_channel * p.weight_strides.in_channel + part.first_tap * p.weight_strides.tap;
      for (int i = thread.index % warp_threads; i < products; i += warp_threads) {
        const int channel = i / part.taps;
        const int tap = i - channel * part.taps;
        Sum weight = 0;
        if (o < outs) weight = widen(from[channel * p.weight_strides.in_channel + tap * p.weight_strides.tap]);
        weights[(channel * launch.tap_block + tap) * weight_stride() + o] = weight;
      }
    }
  }

  TAPCONV_DEVICE void compute(int64_t round, Registers& registers) const {
    const kernels::Problem& p = launch.problem;
    const Part part = part_of(round);
    const int segments = launch.rows.segments;
    for (int c = 0; c < part.channels; ++c) {
      const Element* const channel = static_cast<const Element*>(arguments.input) + sample * p.input_strides.batch +
                                     (group * in_per_group() + part.first_channel + c) * p.input_strides.channel;
      const int shift =
          row_shift(launch.rows, channel, first_time * p.stride + part.first_tap * p.dilation - p.padding_left);
      const Sum* const row = row_samples + c * launch.rows.row_length + shift + time_index;
      const Sum* weight = weights + c * launch.tap_block * weight_stride() + out_index * Outs;
      int segment = 0;
      int from = 0;
      for (int k = 0; k < part.taps; ++k) {
        add_tap(row + segment * launch.rows.segment_length + from, weight, registers);
        weight += weight_stride();
        if (++segment == segments) {
          segment = 0;
          from += launch.rows.tap_distance;
        }
      }
    }
  }

  TAPCONV_DEVICE void add_tap(const Sum* row, const Sum* weight, Registers& registers) const {
    Sum x[direct_times];
    TAPCONV_UNROLL
    for (int v = 0; v < direct_times; ++v) x[v] = row[v * time_threads];
    constexpr int size = Outs % Vector<Sum>::size == 0 ? Vector<Sum>::size : 1;
    TAPCONV_UNROLL
    for (int o = 0; o < Outs; o += size) {
      Sum w[size];
      if constexpr (size > 1) {
        const Vector<Sum> loaded = *reinterpret_cast<const Vector<Sum>*>(weight + o);
        TAPCONV_UNROLL
        for (int i = 0; i < size; ++i) w[i] = loaded.values[i];
      } else {
        w[0] = weight[o];
      }
      TAPCONV_UNROLL
      for (int i = 0; i < size; ++i) {
        TAPCONV_UNROLL
        for (int v = 0; v < direct_times; ++v) registers.sum[o + i][v] += w[i] * x[v];
      }
    }
  }

  // Sums go by way of shared memory, so that the code that writes one exists once, not once for each register.
  TAPCONV_DEVICE void spill(Registers& registers) const {
    Sum* const sums = reinterpret_cast<Sum*>(thread.shared);
    TAPCONV_UNROLL
    for (int o = 0; o < Outs; ++o) {
      TAPCONV_UNROLL
      for (int v = 0; v < direct_times; ++v) {
        sums[(out_index * Outs + o) * launch.time_block + time_index + v * time_threads] = registers.sum[o][v];
      }
    }
  }

  TAPCONV_DEVICE void finish(Registers&) const {
    const Sum* const sums = reinterpret_cast<const Sum*>(thread.shared);
    const int64_t first = group * (launch.problem.out_channels / launch.problem.groups) + first_out;
    for (int i = thread.index; i < outs * launch.time_block; i += launch.grid.threads) {
      const int o = i / launch.time_block;
      const int64_t time = first_time + (i - o * launch.time_block);
      if (time < launch.problem.output_length) {
        write_sum<Element>(launch, arguments, sample, first + o, time, sums[i]);
      }
    }
  }
};

}  // namespace tapconv::cuda
