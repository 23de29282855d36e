#include "composed/any_device/library_gradient.h"

#include <ATen/ops/convolution_backward.h>

#include <algorithm>
#include <array>

#include "composed/any_device/padding.h"

namespace tapconv::composed {
namespace {

using kernels::Problem;

// Torch pads as much as both ends have in common, where it can. The rest is padded ahead.
struct Padding {
  int64_t both;
  int64_t left;
  int64_t right;
};

Padding padding_of(const Problem& p) {
  const bool zeros = p.padding_mode == kernels::PaddingMode::zeros;
  const int64_t both = zeros ? std::min(p.padding_left, p.padding_right) : 0;
  return {both, p.padding_left - both, p.padding_right - both};
}

// Only the shape of the tensor that a gradient is asked for is looked at.
at::Tensor shape_alone(const at::Tensor& like, at::IntArrayRef shape) { return like.new_empty({1}).expand(shape); }

auto backward(const Problem& p, const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight,
              int64_t padding, std::array<bool, 3> wanted) {
  const std::array<int64_t, 1> bias_sizes = {p.out_channels};
  return at::convolution_backward(grad_output, input, weight, at::OptionalIntArrayRef(bias_sizes), {p.stride},
                                  {padding}, {p.dilation}, /*transposed=*/false, /*output_padding=*/{0}, p.groups,
                                  wanted);
}

}  // namespace

at::Tensor library_grad_input(const Problem& p, const at::Tensor& grad_output, const at::Tensor& weight) {
  const Padding padding = padding_of(p);
  const at::Tensor input = shape_alone(weight, {p.batch, p.in_channels, padding.left + p.input_length + padding.right});
  const at::Tensor padded = std::get<0>(backward(p, grad_output, input, weight, padding.both, {true, false, false}));
  if (padding.left == 0 && padding.right == 0) return padded;
  return fold_padding(p, padded, padding.left, padding.right).contiguous();
}

std::tuple<at::Tensor, at::Tensor> library_grad_weight(const Problem& p, const at::Tensor& grad_output,
                                                       const at::Tensor& input, bool wants_bias) {
  const Padding padding = padding_of(p);
  const at::Tensor padded = pad(p, input, padding.left, padding.right);
  const at::Tensor weight = shape_alone(input, {p.out_channels, p.in_channels / p.groups, p.kernel_size});
  auto gradients = backward(p, grad_output, padded, weight, padding.both, {false, true, wants_bias});
  return {std::get<1>(gradients), std::get<2>(gradients)};
}

}  // namespace tapconv::composed
