// Dense convolution in tensor cores is an implicit matrix product: output channels x (channels of one tap) times
// (channels of one tap) x times. Rows lie in shared memory with the channels of a time side by side, so that a tap is
// nothing but another first row, and nothing is copied once for each tap.
#pragma once

#include "output.h"
#include "rows.h"

namespace tapconv::cuda {

inline constexpr int matrix_outs = 64;  // of a block
inline constexpr int matrix_times = 128;
inline constexpr int matrix_threads = 128;
inline constexpr int matrix_warp_outs = 2;  // fragments of a warp
inline constexpr int matrix_warp_times = 4;
inline constexpr int matrix_steps = 2;       // depths of a fragment that are staged at a time
inline constexpr int matrix_row_bytes = 96;  // of one time or one weight's channels: an odd number of 32s
inline constexpr int matrix_sum_stride = matrix_times + 4;  // spreads rows of sums over banks

// Shared memory holds rows as [segment][time][channel] and weights as [tap][out_channel][channel]; at the end, it holds
// the sums.
template <class Element, class Index, template <class> class FragmentsOf>
struct Matrix {
  using Launch = ForwardLaunch;
  using Arguments = ForwardArguments;
  using Fragments = FragmentsOf<Element>;
  using Stored = typename Fragments::Stored;
  static constexpr int max_threads = matrix_threads;
  static constexpr bool spills = true;
  static constexpr int channel_stride = matrix_row_bytes / static_cast<int>(sizeof(Stored));
  static constexpr int channel_block = matrix_steps * Fragments::depth;
  struct Registers {
    typename Fragments::Sums sum[matrix_warp_outs][matrix_warp_times];
  };

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;
  int64_t sample;
  int64_t group;
  int64_t first_out;  // within the group
  int outs;
  int64_t first_time;
  int warp_out;
  int warp_time;
  Stored* rows;
  Stored* weights;

  TAPCONV_DEVICE Matrix(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {
    first_time = thread.block % launch.time_blocks * matrix_times;
    int64_t rest = thread.block / launch.time_blocks;
    first_out = rest % launch.out_blocks * matrix_outs;
    rest /= launch.out_blocks;
    group = rest % launch.problem.groups;
    sample = rest / launch.problem.groups;
    const int64_t outs_left = launch.problem.out_channels / launch.problem.groups - first_out;
    outs = outs_left < matrix_outs ? static_cast<int>(outs_left) : matrix_outs;
    const int warp = thread.index / warp_threads;
    warp_out = warp / 2 * (matrix_warp_outs * 16);
    warp_time = warp % 2 * (matrix_warp_times * 16);
    rows = reinterpret_cast<Stored*>(thread.shared);
    weights = rows + launch.rows.row_length * channel_stride;
  }

  TAPCONV_DEVICE int64_t in_per_group() const { return launch.problem.in_channels / launch.problem.groups; }
  TAPCONV_DEVICE int64_t tap_rounds() const {
    return (launch.problem.kernel_size + launch.tap_block - 1) / launch.tap_block;
  }
  TAPCONV_DEVICE int64_t rounds() const {
    return tap_rounds() * ((in_per_group() + channel_block - 1) / channel_block);
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
    part.first_channel = channel_round * channel_block;
    part.first_tap = (round - channel_round * tap_rounds()) * launch.tap_block;
    const int64_t channels = in_per_group() - part.first_channel;
    const int64_t taps = launch.problem.kernel_size - part.first_tap;
    part.channels = channels < channel_block ? static_cast<int>(channels) : channel_block;
    part.taps = taps < launch.tap_block ? static_cast<int>(taps) : launch.tap_block;
    return part;
  }

  TAPCONV_DEVICE int lane() const { return thread.index % warp_threads; }

  TAPCONV_DEVICE void begin(Registers& registers) const {
    if (!Fragments::runs_on(lane())) return;
    TAPCONV_UNROLL
    for (int o = 0; o < matrix_warp_outs; ++o) {
      TAPCONV_UNROLL
      for (int t = 0; t < matrix_warp_times; ++t) Fragments::clear(registers.sum[o][t]);
    }
  }

  // Neighbouring threads take eight channels of four times, so that their stores meet different banks.
  TAPCONV_DEVICE void stage(int64_t round) const {
    const kernels::Problem& p = launch.problem;
    const Part part = part_of(round);
    const Element* const from = static_cast<const Element*>(arguments.input) + sample * p.input_strides.batch +
                                (group * in_per_group() + part.first_channel) * p.input_strides.channel;
    const Index first = static_cast<Index>(first_time * p.stride + part.first_tap * p.dilation - p.padding_left);
    const int segments = part.taps < launch.rows.segments ? part.taps : launch.rows.segments;
    const int samples = segments * launch.rows.segment_length;
    const int cells = (samples + 3) / 4 * 4 * channel_block;
    for (int i = thread.index; i < cells; i += launch.grid.threads) {
      const int channel = i % 8 + i / 32 % (channel_block / 8) * 8;
      const int number = i / 8 % 4 + i / (4 * channel_block) * 4;
      if (number >= samples) continue;
      const int segment = number / launch.rows.segment_length;
      const int element = number - segment * launch.rows.segment_length;
      const Index position = first + static_cast<Index>(element) * static_cast<Index>(p.stride) +
                             static_cast<Index>(segment) * static_cast<Index>(p.dilation);
      const Index source = channel < part.channels ? source_of(p, position) : Index{-1};
      Element value{};
      if (source >= 0)
        value = from[channel * p.input_strides.channel + source * static_cast<Index>(p.input_strides.time)];
      rows[number * channel_stride + channel] = Fragments::stored(value);
    }
    stage_weights(part);
  }

  TAPCONV_DEVICE void stage_weights(const Part& part) const {
    const kernels::Problem& p = launch.problem;
    const int warps = launch.grid.threads / warp_threads;
    const int products = channel_block * part.taps;
    for (int o = thread.index / warp_threads; o < matrix_outs; o += warps) {
      const Element* const from =
          static_cast<const Element*>(arguments.weight) + weight_offset(launch, group, first_out + o) +
          part.first_channel * p.weight_strides.in_channel + part.first_tap * p.weight_strides.tap;
      for (int i = lane(); i < products; i += warp_threads) {
        const int channel = i / part.taps;
        const int tap = i - channel * part.taps;
        Element weight{};
        if (o < outs && channel < part.channels) {
          weight = from[channel * p.weight_strides.in_channel + tap * p.weight_strides.tap];
        }
        weights[(tap * matrix_outs + o) * channel_stride + channel] = Fragments::stored(weight);
      }
    }
  }

  TAPCONV_DEVICE void compute(int64_t round, Registers& registers) const {
    if (!Fragments::runs_on(lane())) return;
    const Part part = part_of(round);
    int segment = 0;
    int from = 0;
    for (int k = 0; k < part.taps; ++k) {
      const Stored* const tap_rows = rows + (segment * launch.rows.segment_length + from + warp_time) * channel_stride;
      const Stored* const tap_weights = weights + (k * matrix_outs + warp_out) * channel_stride;
      for (int c = 0; c < part.channels; c += Fragments::depth) add_products(tap_weights + c, tap_rows + c, registers);
      if (++segment == launch.rows.segments) {
        segment = 0;
        from += launch.rows.tap_distance;
      }
    }
  }

  TAPCONV_DEVICE void add_products(const Stored* tap_weights, const Stored* tap_rows, Registers& registers) const {
    typename Fragments::Weights a[matrix_warp_outs];
    TAPCONV_UNROLL
    for (int o = 0; o < matrix_warp_outs; ++o) {
      Fragments::load(a[o], tap_weights + o * 16 * channel_stride, channel_stride);
    }
    TAPCONV_UNROLL
    for (int t = 0; t < matrix_warp_times; ++t) {
      typename Fragments::Rows b;
      Fragments::load(b, tap_rows + t * 16 * channel_stride, channel_stride);
      TAPCONV_UNROLL
      for (int o = 0; o < matrix_warp_outs; ++o) Fragments::multiply(registers.sum[o][t], a[o], b);
    }
  }

  TAPCONV_DEVICE void spill(Registers& registers) const {
    if (!Fragments::runs_on(lane())) return;
    float* const sums = reinterpret_cast<float*>(thread.shared);
    TAPCONV_UNROLL
    for (int o = 0; o < matrix_warp_outs; ++o) {
      TAPCONV_UNROLL
      for (int t = 0; t < matrix_warp_times; ++t) {
        float* const to = sums + (warp_out + o * 16) * matrix_sum_stride + warp_time + t * 16;
        Fragments::store(to, registers.sum[o][t], matrix_sum_stride);
      }
    }
  }

  TAPCONV_DEVICE void finish(Registers&) const {
    const float* const sums = reinterpret_cast<const float*>(thread.shared);
    const int64_t first = group * (launch.problem.out_channels / launch.problem.groups) + first_out;
    for (int i = thread.index; i < outs * matrix_times; i += launch.grid.threads) {
      const int o = i / matrix_times;
      const int64_t time = first_time + i % matrix_times;
      if (time >= launch.problem.output_length) continue;
      write_sum<Element>(launch, arguments, sample, first + o, time, sums[o * matrix_sum_stride + i % matrix_times]);
    }
  }
};

}  // namespace tapconv::cuda
