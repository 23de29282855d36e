// The derivatives of conv1d_context, made of the gradient operators of conv1d, so that they are differentiable too.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

// Whatever a derivative depends on beside tensors. The lengths are those of whole tensors; a border that was not given
// has none.
struct ContextShape {
  c10::SymInt input_length;
  c10::SymInt left_length;
  c10::SymInt right_length;
  c10::SymInt kernel_size;
  SymAttributes attributes;
};

struct InputsNeeded {
  bool input;
  bool left;
  bool right;
};

struct InputGradients {
  at::Tensor input;
  at::Tensor left;
  at::Tensor right;
};

// The gradients by input and borders, as far as they are needed. They are one problem: the gradient by the stretch of
// the joined signal that they cover.
InputGradients context_input_gradients(const ContextShape& shape, const at::Tensor& grad_output,
                                       const at::Tensor& weight, const InputsNeeded& needed);

struct WeightGradients {
  at::Tensor weight;
  at::Tensor bias;  // undefined unless it is needed
};

// The gradient by the weight, and with it the one by the bias: the sum over parts as the forward pass has them, so that
// the signal is not copied, and no number meets a zero that is not padding.
WeightGradients context_weight_gradients(const ContextShape& shape, const at::Tensor& grad_output,
                                         const at::Tensor& input, const std::optional<at::Tensor>& left,
                                         const std::optional<at::Tensor>& right, bool needs_bias);

}  // namespace tapconv::ops
