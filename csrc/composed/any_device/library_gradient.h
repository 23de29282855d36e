// The gradients of a convolution by torch's own at::convolution_backward, which on CUDA is cuDNN's, with the padding
// that torch's operator lacks. They run on any device. What the problem says of strides is not read.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

#include "kernels/problem.h"

namespace tapconv::composed {

// Takes grad_output (batch, out_channels, output_length) and weight (out_channels, in_channels / groups, kernel_size).
// The result is (batch, in_channels, input_length).
at::Tensor library_grad_input(const kernels::Problem& problem, const at::Tensor& grad_output, const at::Tensor& weight);

// Takes grad_output as above and input (batch, in_channels, input_length). Returns the gradients by the weight and, if
// `wants_bias`, by the bias (out_channels).
std::tuple<at::Tensor, at::Tensor> library_grad_weight(const kernels::Problem& problem, const at::Tensor& grad_output,
                                                       const at::Tensor& input, bool wants_bias);

}  // namespace tapconv::composed
