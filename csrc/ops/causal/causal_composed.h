// Causal depthwise convolutions made of torch's operators and tapconv's convolution: for other devices, for
// derivatives, and for filters so long that the convolution has better ways.
#pragma once

#include "ops/causal/causal_arguments.h"

namespace tapconv::ops {

// The type that sums are kept in: float64 if x or the weight has it, else float32.
at::ScalarType sum_type(const at::Tensor& x, const at::Tensor& weight);

// What tapconv::causal_conv1d returns. Differentiable.
at::Tensor causal_composed(const CausalArguments& arguments);

// The derivatives of its sum with `grad_output`, differentiable again.
struct CausalGradients {
  at::Tensor x, weight, bias, initial_states;
};
CausalGradients causal_gradients(const CausalArguments& arguments, const at::Tensor& grad_output, bool wants_bias,
                                 bool wants_initial_states);

}  // namespace tapconv::ops
