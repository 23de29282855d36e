// What is asked: the shape, the layout and the meaning of one 1-D convolution. Data only, with the names of its
// choices.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tapconv::kernels {

enum class DataType : uint8_t { float32, float64, bfloat16, float16 };

constexpr const char* name_of(DataType data_type) {
  switch (data_type) {
    case DataType::float32:
      return "float32";
    case DataType::float64:
      return "float64";
    case DataType::bfloat16:
      return "bfloat16";
    case DataType::float16:
      return "float16";
  }
  return "unknown";
}

enum class PaddingMode : uint8_t { zeros, reflect, replicate, circular };

constexpr const char* name_of(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::zeros:
      return "zeros";
    case PaddingMode::reflect:
      return "reflect";
    case PaddingMode::replicate:
      return "replicate";
    case PaddingMode::circular:
      return "circular";
  }
  return "unknown";
}

// The caller allows the planner to choose anything, sums in plain order only, or one family of transforms only.
enum class AlgorithmRequest : uint8_t { automatic, direct, fft, winograd };

constexpr const char* name_of(AlgorithmRequest request) {
  switch (request) {
    case AlgorithmRequest::automatic:
      return "auto";
    case AlgorithmRequest::direct:
      return "direct";
    case AlgorithmRequest::fft:
      return "fft";
    case AlgorithmRequest::winograd:
      return "winograd";
  }
  return "unknown";
}

// Which tensor of a problem is computed from the other two.
enum class Direction : uint8_t { forward, grad_input, grad_weight };

constexpr const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::forward:
      return "forward";
    case Direction::grad_input:
      return "grad_input";
    case Direction::grad_weight:
      return "grad_weight";
  }
  return "unknown";
}

// These distances between neighbours are in elements. They may be zero (expanded tensors) and need not be sorted.
struct ActivationStrides {
  int64_t batch;
  int64_t channel;
  int64_t time;

  bool operator==(const ActivationStrides&) const = default;
};

struct WeightStrides {
  int64_t out_channel;  // over all out_channels, groups included
  int64_t in_channel;   // over in_channels / groups
  int64_t tap;

  bool operator==(const WeightStrides&) const = default;
};

// One problem serves the three directions: forward computes output from (input, weight), grad_input computes input from
// (output, weight) and grad_weight computes weight from (output, input); the strides are those of the tensor that plays
// the role. Shapes: input (batch, in_channels, input_length), weight (out_channels, in_channels / groups, kernel_size),
// output (batch, out_channels, output_length). The caller has checked that the shapes fit and that nothing overflows.
struct Problem {
  DataType data_type;
  PaddingMode padding_mode;
  AlgorithmRequest algorithm;
  int64_t batch;
  int64_t in_channels;
  int64_t input_length;
  int64_t out_channels;
  int64_t kernel_size;
  int64_t stride;
  int64_t padding_left;
  int64_t padding_right;
  int64_t dilation;
  int64_t groups;
  int64_t output_length;
  ActivationStrides input_strides;
  WeightStrides weight_strides;
  ActivationStrides output_strides;

  bool operator==(const Problem&) const = default;
};

constexpr bool has_no_outputs(const Problem& p) { return p.batch == 0 || p.out_channels == 0 || p.output_length == 0; }

// Returns how many padded positions there are between the first and the last that any output reads, both included.
constexpr int64_t positions_read(const Problem& p) {
  return (p.output_length - 1) * p.stride + (p.kernel_size - 1) * p.dilation + 1;
}

// Returns the multiplications and additions of one pass over the problem, in any direction.
constexpr double operations_of(const Problem& p) {
  return 2.0 * static_cast<double>(p.batch) * static_cast<double>(p.out_channels) *
         static_cast<double>(p.output_length) * static_cast<double>(std::max<int64_t>(p.in_channels / p.groups, 1)) *
         static_cast<double>(std::max<int64_t>(p.kernel_size, 1));
}

}  // namespace tapconv::kernels
