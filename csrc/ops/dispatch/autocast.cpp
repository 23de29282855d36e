// Under torch.autocast, conv1d and conv_transpose1d run in the context's lower precision, like torch's. The gradient
// operators get what autograd saved, which has that precision already.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

template <c10::DeviceType device, c10::DispatchKey key>
at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymRawAttributes& raw) {
  c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  const auto cast = [&](const auto& tensor) { return at::autocast::cached_cast(type, tensor, device); };
  return call_conv1d(cast(input), cast(weight), cast(bias), raw);
}

template <c10::DeviceType device, c10::DispatchKey key>
at::Tensor conv_transpose1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const TransposedAttributes& attributes) {
  c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  const auto cast = [&](const auto& tensor) { return at::autocast::cached_cast(type, tensor, device); };
  return call_conv_transpose1d(cast(input), cast(weight), cast(bias), attributes);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, AutocastCPU, m) {
  m.impl("conv1d", unboxed<&conv1d<c10::DeviceType::CPU, c10::DispatchKey::AutocastCPU>>);
  m.impl("conv_transpose1d", unboxed<&conv_transpose1d<c10::DeviceType::CPU, c10::DispatchKey::AutocastCPU>>);
}

TORCH_LIBRARY_IMPL(tapconv, AutocastCUDA, m) {
  m.impl("conv1d", unboxed<&conv1d<c10::DeviceType::CUDA, c10::DispatchKey::AutocastCUDA>>);
  m.impl("conv_transpose1d", unboxed<&conv_transpose1d<c10::DeviceType::CUDA, c10::DispatchKey::AutocastCUDA>>);
}

}  // namespace tapconv::ops
