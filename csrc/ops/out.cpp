// conv1d.out, which writes into a tensor that the caller keeps: on every layer of the dispatcher that such an operator
// passes. Not tagged at::Tag::out, because inductor would then rewrite conv1d to it, with keyword arguments given
// twice.
#include <ATen/FunctionalTensorWrapper.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/native/Resize.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "ops/cpu.h"
#include "ops/delegate.h"

namespace tapconv::ops {
namespace {

// torch's rules for out=, in its words.
void check_out(const at::Tensor& out, const at::Tensor& result_like) {
  TORCH_CHECK(out.scalar_type() == result_like.scalar_type(), "Expected out tensor to have dtype ", result_like.dtype(),
              ", but got ", out.dtype(), " instead");
  TORCH_CHECK(out.device() == result_like.device(), "Expected out tensor to have device ", result_like.device(),
              ", but got ", out.device(), " instead");
}

// A result that torch computed, moved into `out`.
at::Tensor& put(const at::Tensor& result, at::Tensor& out) {
  check_out(out, result);
  at::native::resize_output_symint(out, result.sym_sizes());
  return out.copy_(result);
}

at::Tensor& conv1d_out_cpu(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                           at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                           std::string_view padding_mode, std::string_view algorithm, at::Tensor& out) {
  const RawAttributes raw{stride, padding, dilation, groups, padding_mode, algorithm};
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes<int64_t>(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return put(delegate(input, weight, bias, raw), out);
  check_out(out, input);
  at::native::resize_output(out, shape_of(Role::output, *sizes, *attributes));
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, input);
  at::assert_no_overlap(out, weight);
  if (bias && bias->defined()) at::assert_no_overlap(out, *bias);
  conv1d_into(input, weight, bias, *sizes, *attributes, out);
  return out;
}

at::Tensor& conv1d_out_meta(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                            std::string_view padding_mode, std::string_view algorithm, at::Tensor& out) {
  const RawAttributes raw{stride, padding, dilation, groups, padding_mode, algorithm};
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes<c10::SymInt>(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return put(delegate(input, weight, bias, raw), out);
  check_out(out, input);
  at::native::resize_output_symint(out, shape_of(Role::output, *sizes, *attributes));
  return out;
}

at::Tensor& conv1d_out_elsewhere(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                                 at::IntArrayRef dilation, int64_t groups, std::string_view padding_mode,
                                 std::string_view algorithm, at::Tensor& out) {
  return put(call_conv1d(input, weight, bias, {stride, padding, dilation, groups, padding_mode, algorithm}), out);
}

at::Tensor& conv1d_out_autograd(const at::Tensor& input, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                                at::IntArrayRef dilation, int64_t groups, std::string_view padding_mode,
                                std::string_view algorithm, at::Tensor& out) {
  using torch::autograd::isFwGradDefined;
  if (torch::autograd::compute_requires_grad(input, weight, bias, out)) {
    torch::autograd::throw_error_out_requires_grad("conv1d");
  }
  TORCH_CHECK_NOT_IMPLEMENTED(
      !isFwGradDefined(input) && !isFwGradDefined(weight) && !isFwGradDefined(bias) && !isFwGradDefined(out),
      "Trying to use forward AD with conv1d and out=..., which does not support it. Leave out= away.");
  at::AutoDispatchBelowAutograd below_autograd;
  call_conv1d_out(input, weight, bias, {stride, padding, dilation, groups, padding_mode, algorithm}, out);
  return out;
}

at::Tensor& conv1d_out_inplace(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                               int64_t groups, std::string_view padding_mode, std::string_view algorithm,
                               at::Tensor& out) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    call_conv1d_out(input, weight, bias, {stride, padding, dilation, groups, padding_mode, algorithm}, out);
  }
  torch::autograd::increment_version(out);
  return out;
}

at::Tensor& conv1d_out_functionalize(const at::Tensor& input, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                                     at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                                     std::string_view padding_mode, std::string_view algorithm, at::Tensor& out) {
  namespace functional = at::functionalization::impl;
  const RawAttributes raw{stride, padding, dilation, groups, padding_mode, algorithm};
  const auto unwrap = [](const auto& tensor) {
    functional::sync(tensor);
    return functional::from_functional_tensor(tensor, /*assert_functional=*/false);
  };
  if (!functional::isFunctionalTensor(out)) {
    TORCH_CHECK(!functional::isFunctionalTensor(input) && !functional::isFunctionalTensor(weight) &&
                    !functional::isFunctionalTensor(bias),
                "mutating a non-functional tensor with a functional tensor is not allowed. Please ensure that all of "
                "your inputs are wrapped inside of a functionalize() call.");
    at::AutoDispatchSkipFunctionalize below;
    call_conv1d_out(input, weight, bias, raw, out);
    return out;
  }
  const at::Tensor plain_input = unwrap(input);
  const at::Tensor plain_weight = unwrap(weight);
  const std::optional<at::Tensor> plain_bias = unwrap(bias);
  at::Tensor result;
  {
    at::AutoDispatchSkipFunctionalize below;
    result = call_conv1d(plain_input, plain_weight, plain_bias, raw);
  }
  check_out(out, result);
  functional::replace_(out, result);
  functional::commit_update(out);
  functional::sync(out);
  return out;
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d.out", &conv1d_out_cpu); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d.out", &conv1d_out_meta); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("conv1d.out", &conv1d_out_elsewhere); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d.out", &conv1d_out_autograd); }
TORCH_LIBRARY_IMPL(tapconv, ADInplaceOrView, m) { m.impl("conv1d.out", &conv1d_out_inplace); }
TORCH_LIBRARY_IMPL(tapconv, Functionalize, m) { m.impl("conv1d.out", &conv1d_out_functionalize); }

}  // namespace tapconv::ops
