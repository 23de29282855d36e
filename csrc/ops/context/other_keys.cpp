// conv1d_context without data, under autocast and vmap, and on devices without kernels of ours.
#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "ops/arguments/arguments.h"
#include "ops/arguments/borders.h"
#include "ops/context/joined.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

at::Tensor meta(const SymContextCall& call) {
  check_borders(call.input, call.left, call.right);
  const auto attributes = understand(call.attributes);
  const auto sizes = attributes ? forward_sizes(call.input, call.weight, call.bias, *attributes) : std::nullopt;
  if (!sizes) return conv1d_of_joined(call);
  return at::empty_symint(shape_of(Role::output, *sizes, *attributes), call.input.options());
}

at::Tensor joined(const SymContextCall& call) { return conv1d_of_joined(call); }

template <c10::DeviceType device, c10::DispatchKey key>
at::Tensor autocast(const SymContextCall& call) {
  c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  const auto cast = [&](const auto& tensor) { return at::autocast::cached_cast(type, tensor, device); };
  return call_conv1d_context(
      {cast(call.input), cast(call.weight), cast(call.bias), cast(call.left), cast(call.right), call.attributes});
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d_context", unboxed<&meta>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("conv1d_context", unboxed<&joined>); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatchedDecomposition, m) { m.impl("conv1d_context", unboxed<&joined>); }
TORCH_LIBRARY_IMPL(tapconv, AutocastCPU, m) {
  m.impl("conv1d_context", unboxed<&autocast<c10::DeviceType::CPU, c10::DispatchKey::AutocastCPU>>);
}
TORCH_LIBRARY_IMPL(tapconv, AutocastCUDA, m) {
  m.impl("conv1d_context", unboxed<&autocast<c10::DeviceType::CUDA, c10::DispatchKey::AutocastCUDA>>);
}

}  // namespace tapconv::ops
