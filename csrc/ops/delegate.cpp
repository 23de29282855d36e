#include "ops/delegate.h"

#include <ATen/ops/conv1d.h>
#include <ATen/ops/pad.h>

#include <algorithm>

namespace tapconv::ops {

at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const RawAttributes& a) {
  const auto convolve = [&](const at::Tensor& signal, at::IntArrayRef padding) {
    return at::conv1d(signal, weight, bias, a.stride, padding, a.dilation, a.groups);
  };
  const bool zeros = a.padding_mode == "zeros";
  if (a.padding.size() != 1 && a.padding.size() != 2) return convolve(input, a.padding);  // raises
  const int64_t left = a.padding.front();
  const int64_t right = a.padding.back();
  // at::pad would take a negative number as an order to cut; a convolution refuses it.
  if (zeros && (left == right || std::min(left, right) < 0)) return convolve(input, std::min(left, right));
  const at::Tensor padded = at::pad(input, {left, right}, zeros ? std::string_view("constant") : a.padding_mode);
  return convolve(padded, 0);
}

}  // namespace tapconv::ops
