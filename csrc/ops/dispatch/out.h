// What operators that write into a tensor of the caller's share: torch's rules for out=, in its words.
#pragma once

#include <ATen/FunctionalTensorWrapper.h>
#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace tapconv::ops {

// Raises unless `out` has the type and the device of the result.
void check_out(const at::Tensor& out, const at::Tensor& result_like);

// Moves a result that was computed elsewhere into `out`.
at::Tensor& put(const at::Tensor& result, at::Tensor& out);

// Gives `out` its shape. Raises if it shares memory with itself or with an argument.
void prepare_out(at::Tensor& out, at::IntArrayRef shape, const at::Tensor& first, const at::Tensor& second,
                 const std::optional<at::Tensor>& bias);

// Raises if a derivative would be asked for.
template <typename... Tensors>
void check_no_derivatives(const char* name, const Tensors&... tensors) {
  if (torch::autograd::compute_requires_grad(tensors...)) torch::autograd::throw_error_out_requires_grad(name);
  TORCH_CHECK_NOT_IMPLEMENTED((!torch::autograd::isFwGradDefined(tensors) && ...), "Trying to use forward AD with ",
                              name, " and out=..., which does not support it. Leave out= away.");
}

// Under functionalization: `into_out` and `compute` are called with the tensors unwrapped; the latter's result becomes
// what `out` holds.
template <typename IntoOut, typename Compute>
at::Tensor& functionalize_out(const at::Tensor& first, const at::Tensor& second, const std::optional<at::Tensor>& bias,
                              at::Tensor& out, const IntoOut& into_out, const Compute& compute) {
  namespace functional = at::functionalization::impl;
  const auto unwrap = [](const auto& tensor) {
    functional::sync(tensor);
    return functional::from_functional_tensor(tensor, /*assert_functional=*/false);
  };
  if (!functional::isFunctionalTensor(out)) {
    TORCH_CHECK(!functional::isFunctionalTensor(first) && !functional::isFunctionalTensor(second) &&
                    !functional::isFunctionalTensor(bias),
                "mutating a non-functional tensor with a functional tensor is not allowed. Please ensure that all of "
                "your inputs are wrapped inside of a functionalize() call.");
    at::AutoDispatchSkipFunctionalize below;
    into_out();
    return out;
  }
  const at::Tensor plain_first = unwrap(first);
  const at::Tensor plain_second = unwrap(second);
  const std::optional<at::Tensor> plain_bias = unwrap(bias);
  at::Tensor result;
  {
    at::AutoDispatchSkipFunctionalize below;
    result = compute(plain_first, plain_second, plain_bias);
  }
  check_out(out, result);
  functional::replace_(out, result);
  functional::commit_update(out);
  functional::sync(out);
  return out;
}

}  // namespace tapconv::ops
