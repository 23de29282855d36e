#include "planner.h"

#include <algorithm>

#include "sequence.h"

namespace tapconv::cuda {
namespace {

using kernels::AlgorithmRequest;
using kernels::DataType;
using kernels::Problem;

// These bounds were set by reasoning about reuse and launch costs, not by measurement.

// More output channels to an input channel than this share its row better in a register tile.
constexpr int64_t max_depthwise_outs = 8;
// Tensor cores come in tiles of 16 x 16, so smaller groups would waste most of one.
constexpr int64_t min_matrix_channels = 16;
constexpr int64_t min_matrix_outs = 32;
constexpr int64_t min_matrix_times = 32;
// cuDNN's dense kernels outdo a plain register tile where there is work to spread its costs over. Many small groups are
// not its strength.
constexpr double min_library_operations = 2e9;
constexpr int64_t min_library_channels = 32;
constexpr int64_t min_library_channels_of_groups = 128;
// With filters so long, transforms save more than their dozen launches cost, unless there are many channel pairs.
constexpr int64_t min_fft_taps = 1024;
constexpr double min_fft_operations = 2e9;
constexpr int64_t max_fft_channels = 4;

bool is_empty(const Problem& p, Direction direction) {
  switch (direction) {
    case Direction::forward:
      return p.batch == 0 || p.out_channels == 0 || p.output_length == 0;
    case Direction::grad_input:
      return p.batch == 0 || p.in_channels == 0 || p.input_length == 0;
    case Direction::grad_weight:
      break;
  }
  return p.out_channels == 0 || p.in_channels == 0 || p.kernel_size == 0;
}

bool wants_fft(const Problem& p) {
  const int64_t channels = std::min(p.in_channels, p.out_channels) / p.groups;
  return p.kernel_size >= min_fft_taps && channels <= max_fft_channels &&
         kernels::operations_of(p) >= min_fft_operations;
}

bool wants_library(const Problem& p) {
  const int64_t channels = std::min(p.in_channels, p.out_channels) / p.groups;
  return channels >= (p.groups == 1 ? min_library_channels : min_library_channels_of_groups) &&
         kernels::operations_of(p) >= min_library_operations;
}

bool tensor_cores_multiply(DataType type, const Device& device, const Settings& settings) {
  switch (type) {
    case DataType::float16:
      return device.compute_capability >= 75;
    case DataType::bfloat16:
      return device.compute_capability >= 80;
    case DataType::float32:
      return device.compute_capability >= 80 && settings.allow_tf32;
    case DataType::float64:
      break;
  }
  return false;
}

Plan plan(const Problem& problem, Direction direction, const Device& device, const Settings& settings) {
  Plan made{problem, device, choose_algorithm(problem, direction, device, settings), settings, 0};
  if (made.algorithm != Algorithm::library && made.algorithm != Algorithm::fft) {
    made.workspace_bytes = workspace_bytes(problem, direction);
  }
  return made;
}

}  // namespace

Algorithm choose_kernel(const Problem& p, const Device& device, const Settings& settings) {
  const int64_t in_per_group = p.in_channels / p.groups;
  const int64_t out_per_group = p.out_channels / p.groups;
  if (in_per_group == 1 && out_per_group <= max_depthwise_outs) return Algorithm::depthwise;
  if (in_per_group >= min_matrix_channels && out_per_group >= min_matrix_outs && p.output_length >= min_matrix_times &&
      tensor_cores_multiply(p.data_type, device, settings)) {
    return Algorithm::matrix;
  }
  return Algorithm::direct;
}

Algorithm choose_algorithm(const Problem& p, Direction direction, const Device& device, const Settings& settings) {
  if (is_empty(p, direction)) return Algorithm::empty;
  const bool sums_something = p.batch > 0 && p.output_length > 0 && p.in_channels > 0 && p.out_channels > 0;
  if (sums_something) {
    if (p.algorithm == AlgorithmRequest::fft) return Algorithm::fft;
    if (p.algorithm != AlgorithmRequest::direct) {
      if (wants_fft(p)) return Algorithm::fft;
      if (wants_library(p)) return Algorithm::library;
    }
  }
  // The weight gradient has one kernel for all; a depthwise one differs only in how its threads are laid out.
  const Algorithm kernel = choose_kernel(p, device, settings);
  return direction == Direction::grad_weight && kernel == Algorithm::matrix ? Algorithm::direct : kernel;
}

Plan plan_forward(const Problem& problem, const Device& device, const Settings& settings) {
  return plan(problem, Direction::forward, device, settings);
}

Plan plan_grad_input(const Problem& problem, const Device& device, const Settings& settings) {
  return plan(problem, Direction::grad_input, device, settings);
}

Plan plan_grad_weight(const Problem& problem, const Device& device, const Settings& settings) {
  return plan(problem, Direction::grad_weight, device, settings);
}

}  // namespace tapconv::cuda
