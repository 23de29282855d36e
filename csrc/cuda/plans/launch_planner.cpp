#include "launch_planner.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "cuda/kernels/depthwise.h"
#include "cuda/kernels/direct.h"
#include "cuda/kernels/grad_weight.h"
#include "cuda/kernels/matrix.h"
#include "cuda/kernels/small_kernels.h"
#include "kernels/core/integers.h"
#include "kernels/numbers/storage.h"

namespace tapconv::cuda {
namespace {

using kernels::ceil_div;
using kernels::Problem;
using kernels::rounded_up;

// A depthwise block is to have so many outputs in all rows. A block of the weight gradient takes so many times at a
// time.
constexpr int64_t depthwise_outputs = 2 * depthwise_window * depthwise_threads;
constexpr int64_t grad_weight_times = 512;
constexpr int64_t min_grad_weight_times = 16;
constexpr int64_t rows_of_channels_last = 32;

// No more taps than this are staged at a time, so that sizes of a block stay far below what an int counts.
constexpr int64_t max_taps = 8192;

// A block of the weight gradient has so many (channel, tap) pairs. So many blocks fill any device, and parts take at
// most so much memory.
constexpr int64_t grad_weight_block_pairs = 32 * grad_weight_pairs;
constexpr int64_t grad_weight_blocks = 1024;
constexpr int64_t parts_bytes = int64_t{128} * 1024 * 1024;

int power_of_two(int64_t at_least) { return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(at_least))); }

// Taps say how the taps of a problem fall together (RowLayout in csrc/kernels/core/row_layout.h).
struct Taps {
  int64_t period;  // taps k and k + period read the same phase of the stride
  int64_t step;    // elements between them
};

Taps taps_of(const Problem& p) {
  const int64_t common = std::gcd(p.stride, p.dilation);
  return {p.stride / common, p.dilation / common};
}

// Returns the rows of `tap_block` taps for `time_block` outputs. They have segments for the phases of the stride where
// taps share samples, otherwise one for each tap.
RowTile rows_of(const Problem& p, int64_t tap_block, int64_t time_block, bool share) {
  const Taps taps = taps_of(p);
  RowTile rows{};
  const bool phases = share && tap_block > taps.period;
  rows.segments = static_cast<int>(phases ? taps.period : tap_block);
  rows.tap_distance = phases ? static_cast<int>(taps.step) : 0;
  const int64_t span = phases ? (ceil_div(tap_block, taps.period) - 1) * taps.step : 0;
  rows.segment_length = static_cast<int>(time_block + span);
  const int size = vector_bytes / kernels::storage_bytes(p.data_type);
  rows.vectors = rows.segments == 1 && p.stride == 1 && p.input_strides.time == 1;
  const int length = rows.segments * rows.segment_length + (rows.vectors ? size - 1 : 0);
  rows.row_length = static_cast<int>(rounded_up(length, std::max(size, 4)));
  rows.rows_inside = p.input_strides.channel == 1 && p.input_strides.time != 1;
  rows.segments_inside = p.dilation == 1;
  return rows;
}

// Says whether anything within a row lies beyond what 32 bits count.
bool needs_wide_index(const Problem& p, int64_t time_block) {
  const double limit = std::numeric_limits<int32_t>::max();
  const auto large = [](int64_t value) { return std::abs(static_cast<double>(value)); };
  const double read = (large(p.output_length) + large(time_block)) * large(p.stride) +
                      large(p.kernel_size) * large(p.dilation) + large(p.padding_left);
  const double positions = std::max(read, large(p.input_length) + large(p.padding_left) + large(p.padding_right));
  const double times = large(p.output_length) + large(time_block);
  // The bound allows one vector more than is needed, in either direction.
  return (positions + 64) * std::max(1.0, large(p.input_strides.time)) > limit ||
         times * std::max(1.0, large(p.output_strides.time)) > limit || large(p.stride) > limit ||
         large(p.dilation) > limit;
}

bool fits(int64_t wide_elements, const Problem& p) {
  return wide_elements * kernels::compute_bytes(p.data_type) <= shared_memory_budget;
}

// Sharing pays while taps of a phase lie closer than the outputs of a block.
bool share_rows(const Problem& p, int64_t time_block) { return taps_of(p).step <= time_block; }

void finish_forward(ForwardLaunch& launch, int64_t out_channels, int64_t blocks_per_channel_block, int threads,
                    int64_t shared_bytes) {
  launch.out_blocks = ceil_div(out_channels, launch.out_block);
  launch.time_blocks = ceil_div(launch.problem.output_length, launch.time_block);
  launch.grid = {launch.out_blocks * launch.time_blocks * blocks_per_channel_block, threads,
                 static_cast<int>(shared_bytes)};
  launch.wide_index = needs_wide_index(launch.problem, launch.time_block);
  launch.writes_in_order = kernels::writes_in_order(launch.problem, launch.variant) && !launch.variant.wide_output &&
                           launch.problem.output_strides.time == 1;
}

void plan_depthwise(ForwardLaunch& launch) {
  const Problem& p = launch.problem;
  const Taps taps = taps_of(p);
  // Windows of outputs must not be much longer than the row.
  const bool share = p.kernel_size > taps.period && taps.step * depthwise_window <= p.output_length &&
                     taps.step * depthwise_window <= depthwise_outputs;
  const int64_t window = depthwise_window * (share ? taps.step : 1);
  const bool channels_last = p.input_strides.channel == 1 && p.input_strides.time != 1;
  const int64_t max_times = channels_last && p.out_channels > 1
                                ? std::max(depthwise_outputs / rows_of_channels_last, window)
                                : depthwise_outputs;
  int64_t times = std::min(rounded_up(p.output_length, window), std::max(max_times / window * window, window));
  int64_t rows = std::clamp<int64_t>(depthwise_outputs / times, 1, p.out_channels);
  int64_t tap_block = std::clamp<int64_t>(p.kernel_size, 1, max_taps);
  const auto elements = [&] { return rows * (rows_of(p, tap_block, times, share).row_length + tap_block + times); };
  while (!fits(elements(), p)) {
    if (rows > 1 && tap_block <= 64) {
      rows = ceil_div(rows, 2);
    } else if (tap_block > 1) {
      tap_block = ceil_div(tap_block, 2);
    } else {
      rows = ceil_div(rows, 2);
    }
  }
  launch.rows = rows_of(p, tap_block, times, share);
  launch.tap_block = static_cast<int>(tap_block);
  launch.channel_block = 1;
  launch.out_block = static_cast<int>(rows);
  launch.time_block = static_cast<int>(times);
  // With a single tap in each segment nothing slides.
  launch.spacing = launch.rows.tap_distance > 0 ? launch.rows.tap_distance : 1;
  finish_forward(launch, p.out_channels, p.batch, depthwise_threads, elements() * kernels::compute_bytes(p.data_type));
}

void plan_direct(ForwardLaunch& launch) {
  const Problem& p = launch.problem;
  const int64_t out_per_group = p.out_channels / p.groups;
  const int64_t in_per_group = std::max<int64_t>(p.in_channels / p.groups, 1);
  launch.out_per_thread = out_per_group > 4 ? 8 : 2;
  // The times need so many threads. A warp keeps to the same output channels unless there are few times.
  const int time_threads = power_of_two(std::clamp<int64_t>(ceil_div(p.output_length, direct_times), 1, 32));
  const int out_threads = power_of_two(
      std::clamp<int64_t>(ceil_div(out_per_group, launch.out_per_thread), 1, direct_threads / time_threads));
  launch.out_threads = out_threads;
  launch.out_block = out_threads * launch.out_per_thread;
  launch.time_block = direct_threads / out_threads * direct_times;
  const bool share = share_rows(p, launch.time_block);
  int64_t tap_block = std::clamp<int64_t>(p.kernel_size, 1, max_taps);
  int64_t channels = std::min<int64_t>(in_per_group, 16);
  const auto elements = [&] {
    return channels *
           (rows_of(p, tap_block, launch.time_block, share).row_length + tap_block * (launch.out_block + weight_slack));
  };
  while (!fits(elements(), p)) {
    if (channels > 1 && tap_block <= 32) {
      channels = ceil_div(channels, 2);
    } else {
      tap_block = ceil_div(tap_block, 2);
    }
  }
  launch.rows = rows_of(p, tap_block, launch.time_block, share);
  launch.tap_block = static_cast<int>(tap_block);
  launch.channel_block = static_cast<int>(channels);
  const int64_t sums = int64_t{launch.out_block} * launch.time_block;
  finish_forward(launch, out_per_group, p.batch * p.groups, direct_threads,
                 std::max(elements(), sums) * kernels::compute_bytes(p.data_type));
}

void plan_matrix(ForwardLaunch& launch) {
  const Problem& p = launch.problem;
  launch.out_block = matrix_outs;
  launch.time_block = matrix_times;
  launch.channel_block = matrix_steps * 32 / kernels::storage_bytes(p.data_type);
  const bool share = share_rows(p, launch.time_block);
  int64_t tap_block = std::clamp<int64_t>(p.kernel_size, 1, max_taps);
  const auto bytes = [&] {
    return (rows_of(p, tap_block, matrix_times, share).row_length + tap_block * matrix_outs) * matrix_row_bytes;
  };
  while (bytes() > shared_memory_budget) tap_block = ceil_div(tap_block, 2);
  launch.rows = rows_of(p, tap_block, matrix_times, share);
  launch.tap_block = static_cast<int>(tap_block);
  const int64_t sums = int64_t{matrix_outs} * matrix_sum_stride * static_cast<int64_t>(sizeof(float));
  finish_forward(launch, p.out_channels / p.groups, p.batch * p.groups, matrix_threads, std::max(bytes(), sums));
}

}  // namespace

ForwardLaunch plan_launch(const Problem& problem, const kernels::ForwardVariant& variant, Algorithm algorithm) {
  ForwardLaunch launch{};
  launch.problem = problem;
  launch.variant = variant;
  switch (algorithm) {
    case Algorithm::depthwise:
      plan_depthwise(launch);
      break;
    case Algorithm::matrix:
      plan_matrix(launch);
      break;
    default:
      plan_direct(launch);
      break;
  }
  return launch;
}

GradWeightLaunch plan_grad_weight_launch(const Problem& p) {
  GradWeightLaunch launch{};
  launch.problem = p;
  const int64_t out_per_group = std::max<int64_t>(p.out_channels / p.groups, 1);
  const int64_t in_per_group = std::max<int64_t>(p.in_channels / p.groups, 1);
  launch.out_per_thread = out_per_group > 3 ? 8 : 1;
  int64_t tap_block = std::clamp<int64_t>(p.kernel_size, 1, grad_weight_block_pairs);
  int64_t channels = std::clamp<int64_t>(grad_weight_block_pairs / tap_block, 1, in_per_group);
  int64_t times = std::clamp<int64_t>(p.output_length, 1, grad_weight_times);
  const auto set_threads = [&] {
    launch.tap_threads = power_of_two(ceil_div(channels * tap_block, grad_weight_pairs));
    launch.out_threads = power_of_two(std::clamp<int64_t>(ceil_div(out_per_group, launch.out_per_thread), 1, 4));
    launch.slices = grad_weight_threads / (launch.tap_threads * launch.out_threads);
    launch.out_block = launch.out_threads * launch.out_per_thread;
    launch.gradient_stride = launch.out_block + (launch.out_per_thread > 1 ? weight_slack : 0);
  };
  const auto rows = [&] { return rows_of(p, tap_block, times, share_rows(p, times)); };
  const auto staged = [&] {
    set_threads();
    return channels * rows().row_length + times * launch.gradient_stride;
  };
  while (!fits(staged(), p)) {
    if (times > 4 * min_grad_weight_times) {
      times = ceil_div(times, 2);
    } else if (channels > 1) {
      channels = ceil_div(channels, 2);
    } else if (tap_block > 1) {
      tap_block = ceil_div(tap_block, 2);
    } else {
      times = ceil_div(times, 2);
    }
  }
  const int64_t spilled = int64_t{launch.slices} * launch.out_block * (launch.tap_threads * grad_weight_pairs + 1);
  launch.rows = rows();
  launch.tap_block = static_cast<int>(tap_block);
  launch.channel_block = static_cast<int>(channels);
  launch.time_block = static_cast<int>(times);
  launch.out_blocks = ceil_div(p.out_channels / p.groups, launch.out_block);
  launch.channel_blocks = ceil_div(p.in_channels / p.groups, channels);
  launch.tap_blocks = ceil_div(p.kernel_size, tap_block);
  launch.time_blocks = ceil_div(p.output_length, times);
  launch.wide_index = needs_wide_index(p, times);
  // The number of parts depends on the problem alone.
  const int64_t tiles = p.groups * launch.out_blocks * launch.channel_blocks * launch.tap_blocks;
  const int64_t steps = p.batch * launch.time_blocks;
  const int64_t weights = std::max<int64_t>(p.out_channels * in_per_group * p.kernel_size, 1);
  const int64_t affordable = std::max<int64_t>(parts_bytes / (weights * kernels::compute_bytes(p.data_type)), 1);
  if (tiles > 0 && steps > 0) {
    const int64_t parts = std::min({ceil_div(grad_weight_blocks, tiles), steps, affordable});
    launch.steps_per_part = ceil_div(steps, parts);
    launch.parts = ceil_div(steps, launch.steps_per_part);
  }
  launch.grid = {tiles * launch.parts, grad_weight_threads,
                 static_cast<int>(std::max(staged(), spilled) * kernels::compute_bytes(p.data_type))};
  return launch;
}

namespace {

SumPartsLaunch plan_sum(const GradWeightLaunch& launch, int64_t outer, int64_t middle, int64_t inner,
                        const kernels::WeightStrides& strides) {
  const Grid grid{ceil_div(outer * middle * inner, small_threads), small_threads, 0};
  return {grid, launch.problem.data_type, launch.parts, outer, middle, inner, strides};
}

size_t parts_bytes_of(const GradWeightLaunch& launch, int64_t elements) {
  return static_cast<size_t>(
      rounded_up(launch.parts * elements * kernels::compute_bytes(launch.problem.data_type), 256));
}

}  // namespace

SumPartsLaunch plan_weight_sum(const GradWeightLaunch& launch) {
  const Problem& p = launch.problem;
  return plan_sum(launch, p.out_channels, p.in_channels / p.groups, p.kernel_size, p.weight_strides);
}

SumPartsLaunch plan_bias_sum(const GradWeightLaunch& launch) {
  return plan_sum(launch, launch.problem.out_channels, 1, 1, {1, 0, 0});
}

size_t weight_parts_bytes(const GradWeightLaunch& launch) {
  const Problem& p = launch.problem;
  return parts_bytes_of(launch, p.out_channels * (p.in_channels / p.groups) * p.kernel_size);
}

size_t bias_parts_bytes(const GradWeightLaunch& launch) { return parts_bytes_of(launch, launch.problem.out_channels); }

FillLaunch plan_fill(kernels::DataType type, bool wide, int64_t batch, int64_t channels, int64_t length,
                     const kernels::ActivationStrides& strides) {
  const Grid grid{ceil_div(batch * channels * length, small_threads), small_threads, 0};
  return {grid, type, wide, batch, channels, length, strides};
}

}  // namespace tapconv::cuda
