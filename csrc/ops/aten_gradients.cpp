#include "ops/aten_gradients.h"

#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/reflection_pad1d_backward.h>
#include <ATen/ops/replication_pad1d_backward.h>

namespace tapconv::ops {
namespace {

// What at::convolution_backward computes of a padded input, all in three dimensions.
at::Tensor backward(const at::Tensor& grad_output, const at::Tensor& padded, const at::Tensor& weight,
                    const Attributes& a, bool of_input) {
  const auto gradients =
      at::convolution_backward(grad_output, padded, weight, std::nullopt, a.stride, 0, a.dilation,
                               /*transposed=*/false, /*output_padding=*/0, a.groups, {of_input, !of_input, false});
  return of_input ? std::get<0>(gradients) : std::get<1>(gradients);
}

at::Tensor with_batch(const at::Tensor& tensor) { return tensor.dim() == 3 ? tensor : tensor.unsqueeze(0); }

at::Tensor pad(const at::Tensor& input, const Attributes& a) {
  const bool zeros = a.padding_mode == kernels::PaddingMode::zeros;
  return at::pad(input, {a.padding_left, a.padding_right},
                 zeros ? std::string_view("constant") : name_of(a.padding_mode));
}

// The derivative of padding: what was copied into the ends is added back where it came from.
at::Tensor unpad(const at::Tensor& grad_padded, const Attributes& a, int64_t length) {
  const at::Tensor inner = grad_padded.narrow(2, a.padding_left, length);
  const std::array<int64_t, 2> padding = {a.padding_left, a.padding_right};
  switch (a.padding_mode) {
    case kernels::PaddingMode::zeros:
      return inner.contiguous();
    case kernels::PaddingMode::reflect:
      return at::reflection_pad1d_backward(grad_padded, inner, padding);
    case kernels::PaddingMode::replicate:
      return at::replication_pad1d_backward(grad_padded, inner, padding);
    case kernels::PaddingMode::circular:
      break;
  }
  at::Tensor grad_input = inner.clone();
  grad_input.narrow(2, length - a.padding_left, a.padding_left).add_(grad_padded.narrow(2, 0, a.padding_left));
  grad_input.narrow(2, 0, a.padding_right).add_(grad_padded.narrow(2, a.padding_left + length, a.padding_right));
  return grad_input;
}

}  // namespace

at::Tensor aten_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, const Sizes<int64_t>& sizes,
                           const Attributes& a) {
  const int64_t padded_length = sizes.input_length + a.padding_left + a.padding_right;
  const at::Tensor padded = at::empty({sizes.batch, sizes.in_channels, padded_length}, weight.options());
  const at::Tensor grad_padded = backward(with_batch(grad_output), padded, weight, a, /*of_input=*/true);
  const at::Tensor grad_input = unpad(grad_padded, a, sizes.input_length);
  return sizes.batched ? grad_input : grad_input.squeeze(0);
}

at::Tensor aten_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, const Sizes<int64_t>& sizes,
                            const Attributes& a) {
  const at::Tensor weight = at::empty(shape_of(Role::weight, sizes, a), input.options());
  return backward(with_batch(grad_output), pad(with_batch(input), a), weight, a, /*of_input=*/false).contiguous();
}

}  // namespace tapconv::ops
