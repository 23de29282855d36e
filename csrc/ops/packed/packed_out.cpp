// conv1d_packed.out, on the layers of the dispatcher that out.cpp explains.
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include "ops/dispatch/delegate.h"
#include "ops/dispatch/out.h"
#include "ops/packed/packed.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

at::Tensor& on_cpu(const PackedCall& call, at::Tensor& out) {
  const Attributes attributes = check_packed_call(call);
  const OpenedWeight opened = open_packed(call, attributes);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) return put(delegate_packed(call, opened), out);
  check_out(out, call.input);
  prepare_out(out, shape_of(Role::output, *sizes, attributes), call.input, call.packed, call.bias);
  conv1d_packed_into(call, opened, *sizes, attributes, out);
  return out;
}

at::Tensor& on_meta(const SymPackedCall& call, at::Tensor& out) {
  const SymAttributes attributes = check_packed_call(call);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) return put(call_conv1d_packed(call), out);
  check_out(out, call.input);
  at::native::resize_output_symint(out, shape_of(Role::output, *sizes, attributes));
  return out;
}

at::Tensor& under_autograd(const SymPackedCall& call, at::Tensor& out) {
  check_no_derivatives("conv1d_packed", call.input, call.bias, out);
  at::AutoDispatchBelowAutograd below_autograd;
  return call_conv1d_packed_out(call, out);
}

at::Tensor& in_place(const SymPackedCall& call, at::Tensor& out) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    call_conv1d_packed_out(call, out);
  }
  torch::autograd::increment_version(out);
  return out;
}

at::Tensor& functionalized(const SymPackedCall& call, at::Tensor& out) {
  return functionalize_out(
      call.input, call.packed, call.bias, out, [&] { call_conv1d_packed_out(call, out); },
      [&](const at::Tensor& plain_input, const at::Tensor& plain_packed, const std::optional<at::Tensor>& plain_bias) {
        return call_conv1d_packed({plain_input, plain_packed, call.weight_shape, plain_bias, call.attributes});
      });
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d_packed.out", unboxed<&on_cpu>); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d_packed.out", unboxed<&on_meta>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_packed.out", unboxed<&under_autograd>); }
TORCH_LIBRARY_IMPL(tapconv, ADInplaceOrView, m) { m.impl("conv1d_packed.out", unboxed<&in_place>); }
TORCH_LIBRARY_IMPL(tapconv, Functionalize, m) { m.impl("conv1d_packed.out", unboxed<&functionalized>); }

}  // namespace tapconv::ops
