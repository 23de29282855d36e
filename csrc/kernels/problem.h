// What is asked: the shape, the layout and the meaning of one 1-D convolution. Data only.
#pragma once

#include <cstdint>

namespace tapconv::kernels {

enum class DataType : uint8_t { float32, float64, bfloat16, float16 };

enum class PaddingMode : uint8_t { zeros, reflect, replicate, circular };

// What the caller allows the planner to choose: anything, sums in plain order only, or one family of transforms only.
enum class AlgorithmRequest : uint8_t { automatic, direct, fft, winograd };

// Distances between neighbours, in elements. They may be zero (expanded tensors) and need not be sorted.
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

// Padded positions between the first and the last that any output reads.
constexpr int64_t positions_read(const Problem& p) {
  return (p.output_length - 1) * p.stride + (p.kernel_size - 1) * p.dilation + 1;
}

}  // namespace tapconv::kernels
