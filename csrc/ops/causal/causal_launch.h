// From tensors on the CPU to the kernels of causal depthwise convolutions.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/causal/causal.h"

namespace tapconv::ops {

// The kernels keep sums in the type of both, or in float32 for all shorter ones: not so one of them in float64 alone.
inline bool are_of_two_widths(const at::Tensor& x, const at::Tensor& weight) {
  return (x.scalar_type() == at::kDouble) != (weight.scalar_type() == at::kDouble);
}

inline std::optional<at::Tensor> as_double(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined() ? std::optional(tensor->to(at::kDouble)) : std::nullopt;
}

// Contiguous, or undefined if it is not there.
inline at::Tensor dense(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined() ? tensor->contiguous() : at::Tensor();
}

inline const void* data_of(const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

// Computes with a workspace of its own.
void launch_causal(const kernels::CausalCall& call, kernels::CausalOperands operands);

}  // namespace tapconv::ops
