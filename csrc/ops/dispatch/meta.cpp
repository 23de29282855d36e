// Shapes and types without data: for meta tensors, tracing, compilation and export.
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "ops/arguments/arguments.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

at::Tensor empty(const c10::SmallVector<c10::SymInt, 3>& shape, const at::Tensor& like) {
  return at::empty_symint(shape, like.options());
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymRawAttributes& raw) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return delegate(input, weight, bias, raw);
  return empty(shape_of(Role::output, *sizes, *attributes), input);
}

at::Tensor conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, c10::SymInt input_length,
                             const SymRawAttributes& raw) {
  const SymAttributes attributes = understand_or_raise(raw, "conv1d_grad_input");
  const auto sizes = grad_input_sizes(grad_output, weight, input_length, attributes);
  return empty(shape_of(Role::input, sizes, attributes), weight);
}

at::Tensor conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, c10::SymInt kernel_size,
                              const SymRawAttributes& raw) {
  const SymAttributes attributes = understand_or_raise(raw, "conv1d_grad_weight");
  const auto sizes = grad_weight_sizes(grad_output, input, kernel_size, attributes);
  return empty(shape_of(Role::weight, sizes, attributes), input);
}

std::tuple<at::Tensor, at::Tensor> conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                           c10::SymInt kernel_size, const SymRawAttributes& raw) {
  const SymAttributes attributes = understand_or_raise(raw, "conv1d_grad_weight_bias");
  const auto sizes = grad_weight_sizes(grad_output, input, kernel_size, attributes);
  return {empty(shape_of(Role::weight, sizes, attributes), input), empty({sizes.out_channels}, input)};
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Meta, m) {
  m.impl("conv1d", unboxed<&conv1d>);
  m.impl("conv1d_grad_input", unboxed<&conv1d_grad_input>);
  m.impl("conv1d_grad_weight", unboxed<&conv1d_grad_weight>);
  m.impl("conv1d_grad_weight_bias", unboxed<&conv1d_grad_weight_bias>);
}

}  // namespace tapconv::ops
