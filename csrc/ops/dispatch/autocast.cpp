// Under torch.autocast, conv1d and conv_transpose1d run in the context's lower precision, like torch's. The gradient
// operators get what autograd saved, which has that precision already.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include "ops/schema/operator.h"

namespace tapconv::ops {
namespace {

template <c10::DeviceType device, c10::DispatchKey key>
at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                  c10::SymInt groups, std::string_view padding_mode, std::string_view algorithm) {
  c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  const auto cast = [&](const auto& tensor) { return at::autocast::cached_cast(type, tensor, device); };
  return call_conv1d(cast(input), cast(weight), cast(bias),
                     {stride, padding, dilation, groups, padding_mode, algorithm});
}

template <c10::DeviceType device, c10::DispatchKey key>
at::Tensor conv_transpose1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef output_padding,
                            c10::SymInt groups, c10::SymIntArrayRef dilation) {
  c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  const auto cast = [&](const auto& tensor) { return at::autocast::cached_cast(type, tensor, device); };
  return call_conv_transpose1d(cast(input), cast(weight), cast(bias), stride, padding, output_padding, groups,
                               dilation);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, AutocastCPU, m) {
  m.impl("conv1d", &conv1d<c10::DeviceType::CPU, c10::DispatchKey::AutocastCPU>);
  m.impl("conv_transpose1d", &conv_transpose1d<c10::DeviceType::CPU, c10::DispatchKey::AutocastCPU>);
}

TORCH_LIBRARY_IMPL(tapconv, AutocastCUDA, m) {
  m.impl("conv1d", &conv1d<c10::DeviceType::CUDA, c10::DispatchKey::AutocastCUDA>);
  m.impl("conv_transpose1d", &conv_transpose1d<c10::DeviceType::CUDA, c10::DispatchKey::AutocastCUDA>);
}

}  // namespace tapconv::ops
