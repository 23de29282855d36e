// Depthwise convolution has one input channel in each group. A block copies some rows into shared memory, sums several
// outputs a thread, and writes whole vectors.
//
// A thread's outputs lie `spacing` apart, so that the taps of a segment slide over one window in registers, with one
// load from shared memory for each tap and seven products. There are seven because an odd distance between threads
// meets every bank.
#pragma once

#include "output.h"
#include "rows.h"

namespace tapconv::cuda {

inline constexpr int depthwise_window = 7;
inline constexpr int depthwise_threads = 128;

// Shared memory holds rows, their weights, and their sums.
template <class Element, class Index>
struct Depthwise {
  using Launch = ForwardLaunch;
  using Arguments = ForwardArguments;
  using Sum = Wide<Element>;
  static constexpr int max_threads = depthwise_threads;
  static constexpr bool spills = false;
  struct Registers {};

  const Launch& launch;
  const Arguments& arguments;
  Thread thread;
  int64_t sample;
  int64_t first_row;  // an output channel, phases included
  int rows;
  int64_t first_time;
  int times;
  Sum* row_samples;
  Sum* weights;
  Sum* sums;

  TAPCONV_DEVICE Depthwise(const Launch& l, const Arguments& a, const Thread& t) : launch(l), arguments(a), thread(t) {
    const int64_t time_index = thread.block % launch.time_blocks;
    const int64_t rest = thread.block / launch.time_blocks;
    sample = rest / launch.out_blocks;
    first_row = (rest - sample * launch.out_blocks) * launch.out_block;
    const int64_t rows_left = launch.problem.out_channels - first_row;
    rows = rows_left < launch.out_block ? static_cast<int>(rows_left) : launch.out_block;
    first_time = time_index * launch.time_block;
    const int64_t times_left = launch.problem.output_length - first_time;
    times = times_left < launch.time_block ? static_cast<int>(times_left) : launch.time_block;
    row_samples = reinterpret_cast<Sum*>(thread.shared);
    weights = row_samples + launch.out_block * launch.rows.row_length;
    sums = weights + launch.out_block * launch.tap_block;
  }

  TAPCONV_DEVICE int64_t rounds() const {
    return (launch.problem.kernel_size + launch.tap_block - 1) / launch.tap_block;
  }

  TAPCONV_DEVICE int taps_of(int64_t round) const {
    const int64_t left = launch.problem.kernel_size - round * launch.tap_block;
    return left < launch.tap_block ? static_cast<int>(left) : launch.tap_block;
  }

  TAPCONV_DEVICE const Element* channel_of(int row) const {
    const kernels::Problem& p = launch.problem;
    const int64_t out_per_group = p.out_channels / p.groups;
    const int64_t group = out_per_group == 1 ? first_row + row : (first_row + row) / out_per_group;
    return static_cast<const Element*>(arguments.input) + sample * p.input_strides.batch +
           group * p.input_strides.channel;
  }

  TAPCONV_DEVICE int64_t first_position(int64_t round) const {
    const kernels::Problem& p = launch.problem;
    return first_time * p.stride + round * launch.tap_block * p.dilation - p.padding_left;
  }

  TAPCONV_DEVICE void begin(Registers&) const {
    for (int i = thread.index; i < rows * launch.time_block; i += launch.grid.threads) sums[i] = 0;
  }

  TAPCONV_DEVICE void stage(int64_t round) const {
    const kernels::Problem& p = launch.problem;
    const int taps = taps_of(round);
    const int segments = taps < launch.rows.segments ? taps : launch.rows.segments;
    stage_rows<Element, Index>(
        p, launch.rows, rows, segments, [this](int row) { return channel_of(row); }, first_position(round),
        thread.index, launch.grid.threads, row_samples);
    const int64_t out_per_group = p.out_channels / p.groups;
    for (int i = thread.index; i < rows * taps; i += launch.grid.threads) {
      const int row = i / taps;
      const int tap = i - row * taps;
      const int64_t group = (first_row + row) / out_per_group;
      const int64_t offset = weight_offset(launch, group, first_row + row - group * out_per_group) +
                             (round * launch.tap_block + tap) * p.weight_strides.tap;
      weights[row * launch.tap_block + tap] = widen(static_cast<const Element*>(arguments.weight)[offset]);
    }
  }

  TAPCONV_DEVICE void compute(int64_t round, Registers&) const {
    const int taps = taps_of(round);
    const int windows = (launch.time_block / (depthwise_window * launch.spacing)) * launch.spacing;
    for (int i = thread.index; i < rows * windows; i += launch.grid.threads) {
      const int row = i / windows;
      const int window = i - row * windows;
      const int residue = window % launch.spacing;
      const int first = residue + (window - residue) * depthwise_window;
      if (first >= times) continue;
      sum_window(round, taps, row, first);
    }
  }

  // Sums outputs first, first + spacing, ... of a row.
  TAPCONV_DEVICE void sum_window(int64_t round, int taps, int row, int first) const {
    const int shift = row_shift(launch.rows, channel_of(row), first_position(round));
    Sum* const to = sums + row * launch.time_block + first;
    Sum sum[depthwise_window];
    TAPCONV_UNROLL
    for (int v = 0; v < depthwise_window; ++v) sum[v] = to[v * launch.spacing];
    const int segments = launch.rows.segments;
    for (int q = 0; q < segments && q < taps; ++q) {
      const Sum* const from =
          row_samples + row * launch.rows.row_length + q * launch.rows.segment_length + shift + first;
      const Sum* const weight = weights + row * launch.tap_block + q;
      slide(from, weight, (taps - q + segments - 1) / segments, sum);
    }
    TAPCONV_UNROLL
    for (int v = 0; v < depthwise_window; ++v) to[v * launch.spacing] = sum[v];
  }

  TAPCONV_DEVICE void slide(const Sum* from, const Sum* weight, int taps, Sum (&sum)[depthwise_window]) const {
    const int spacing = launch.spacing;
    const int segments = launch.rows.segments;
    Sum window[depthwise_window];
    TAPCONV_UNROLL
    for (int v = 0; v < depthwise_window - 1; ++v) window[v] = from[v * spacing];
    const Sum* next = from + (depthwise_window - 1) * spacing;
    for (int j = 0; j < taps; j += depthwise_window) {
      TAPCONV_UNROLL
      for (int u = 0; u < depthwise_window; ++u) {
        if (j + u < taps) {
          window[(u + depthwise_window - 1) % depthwise_window] = *next;
          next += spacing;
          const Sum w = weight[(j + u) * segments];
          TAPCONV_UNROLL
          for (int v = 0; v < depthwise_window; ++v) sum[v] += w * window[(u + v) % depthwise_window];
        }
      }
    }
  }

  TAPCONV_DEVICE void finish(Registers&) const {
    if (launch.writes_in_order && arguments.borders.mode == kernels::PaddingMode::zeros) return finish_vectors();
    for (int i = thread.index; i < rows * times; i += launch.grid.threads) {
      const int row = launch.rows.rows_inside ? i % rows : i / times;
      const int time = launch.rows.rows_inside ? i / rows : i - row * times;
      write_sum<Element>(launch, arguments, sample, first_row + row, first_time + time,
                         sums[row * launch.time_block + time]);
    }
  }

  // Writes whole vectors where memory has its vector boundaries, and single elements at both ends of a row.
  TAPCONV_DEVICE void finish_vectors() const {
    constexpr int size = Vector<Element>::size;
    const kernels::Problem& p = launch.problem;
    const int vectors = (times + 2 * size - 2) / size;
    for (int i = thread.index; i < rows * vectors; i += launch.grid.threads) {
      const int row = i / vectors;
      const int64_t channel = first_row + row;
      Element* const to = static_cast<Element*>(arguments.output) + sample * p.output_strides.batch +
                          channel * p.output_strides.channel + first_time;
      const int shift = static_cast<int>((reinterpret_cast<uintptr_t>(to) / sizeof(Element)) & (size - 1));
      const int begin = (i - row * vectors) * size - shift;
      const Sum bias = arguments.bias ? widen(static_cast<const Element*>(arguments.bias)[channel]) : Sum{0};
      const Sum* const from = sums + row * launch.time_block;
      if (begin >= 0 && begin + size <= times) {
        Vector<Element> stored;
        TAPCONV_UNROLL
        for (int j = 0; j < size; ++j) narrow(from[begin + j] + bias, &stored.values[j]);
        *reinterpret_cast<Vector<Element>*>(to + begin) = stored;
      } else {
        for (int j = 0; j < size; ++j) {
          if (begin + j >= 0 && begin + j < times) narrow(from[begin + j] + bias, to + begin + j);
        }
      }
    }
  }
};

}  // namespace tapconv::cuda
