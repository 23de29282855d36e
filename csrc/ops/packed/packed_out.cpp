// conv1d_packed.out, on the layers of the dispatcher that out.cpp explains.
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include "ops/dispatch/delegate.h"
#include "ops/dispatch/out.h"
#include "ops/packed/packed.h"
#include "ops/schema/operator.h"

namespace tapconv::ops {
namespace {

at::Tensor& on_cpu(const at::Tensor& input, const at::Tensor& packed, at::IntArrayRef weight_shape,
                   const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                   at::IntArrayRef dilation, int64_t groups, std::string_view padding_mode, at::Tensor& out) {
  const PackedCall call{input, packed, weight_shape, bias, {stride, padding, dilation, groups, padding_mode, "auto"}};
  const Attributes attributes = check_packed_call(call);
  const OpenedWeight opened = open_packed(call, attributes);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) return put(delegate_packed(call, opened), out);
  check_out(out, input);
  prepare_out(out, shape_of(Role::output, *sizes, attributes), input, packed, bias);
  conv1d_packed_into(call, opened, *sizes, attributes, out);
  return out;
}

at::Tensor& on_meta(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                    const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride, c10::SymIntArrayRef padding,
                    c10::SymIntArrayRef dilation, c10::SymInt groups, std::string_view padding_mode, at::Tensor& out) {
  const SymPackedCall call{
      input, packed, weight_shape, bias, {stride, padding, dilation, groups, padding_mode, "auto"}};
  const SymAttributes attributes = check_packed_call(call);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) return put(call_conv1d_packed(input, packed, weight_shape, bias, call.attributes), out);
  check_out(out, input);
  at::native::resize_output_symint(out, shape_of(Role::output, *sizes, attributes));
  return out;
}

at::Tensor& under_autograd(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                           const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride,
                           c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, c10::SymInt groups,
                           std::string_view padding_mode, at::Tensor& out) {
  check_no_derivatives("conv1d_packed", input, bias, out);
  at::AutoDispatchBelowAutograd below_autograd;
  return call_conv1d_packed_out(input, packed, weight_shape, bias,
                                {stride, padding, dilation, groups, padding_mode, ""}, out);
}

at::Tensor& in_place(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                     const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride, c10::SymIntArrayRef padding,
                     c10::SymIntArrayRef dilation, c10::SymInt groups, std::string_view padding_mode, at::Tensor& out) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    call_conv1d_packed_out(input, packed, weight_shape, bias, {stride, padding, dilation, groups, padding_mode, ""},
                           out);
  }
  torch::autograd::increment_version(out);
  return out;
}

at::Tensor& functionalized(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                           const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride,
                           c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, c10::SymInt groups,
                           std::string_view padding_mode, at::Tensor& out) {
  const SymRawAttributes raw{stride, padding, dilation, groups, padding_mode, ""};
  return functionalize_out(
      input, packed, bias, out, [&] { call_conv1d_packed_out(input, packed, weight_shape, bias, raw, out); },
      [&](const at::Tensor& plain_input, const at::Tensor& plain_packed, const std::optional<at::Tensor>& plain_bias) {
        return call_conv1d_packed(plain_input, plain_packed, weight_shape, plain_bias, raw);
      });
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d_packed.out", &on_cpu); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d_packed.out", &on_meta); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_packed.out", &under_autograd); }
TORCH_LIBRARY_IMPL(tapconv, ADInplaceOrView, m) { m.impl("conv1d_packed.out", &in_place); }
TORCH_LIBRARY_IMPL(tapconv, Functionalize, m) { m.impl("conv1d_packed.out", &functionalized); }

}  // namespace tapconv::ops
