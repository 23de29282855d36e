#include "composed/any_device/padding.h"

#include <ATen/ops/_pad_circular.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/reflection_pad1d.h>
#include <ATen/ops/replication_pad1d.h>

#include <array>

namespace tapconv::composed {

at::Tensor pad(const kernels::Problem& problem, const at::Tensor& input, int64_t left, int64_t right) {
  if (left == 0 && right == 0) return input;
  const std::array<int64_t, 2> ends = {left, right};
  switch (problem.padding_mode) {
    case kernels::PaddingMode::zeros:
      break;
    case kernels::PaddingMode::reflect:
      return at::reflection_pad1d(input, ends);
    case kernels::PaddingMode::replicate:
      return at::replication_pad1d(input, ends);
    case kernels::PaddingMode::circular:
      return at::_pad_circular(input, ends);
  }
  return at::constant_pad_nd(input, ends);
}

at::Tensor fold_padding(const kernels::Problem& problem, const at::Tensor& padded, int64_t left, int64_t right) {
  const int64_t length = problem.input_length;
  const at::Tensor before = padded.narrow(-1, 0, left);
  const at::Tensor after = padded.narrow(-1, left + length, right);
  const at::Tensor samples = padded.narrow(-1, left, length);
  const auto add = [&](int64_t first, const at::Tensor& gradients) {
    if (gradients.numel() != 0) samples.narrow(-1, first, gradients.size(-1)).add_(gradients);
  };
  switch (problem.padding_mode) {
    case kernels::PaddingMode::zeros:
      break;
    case kernels::PaddingMode::reflect:
      add(1, at::flip(before, {-1}));
      add(length - 1 - right, at::flip(after, {-1}));
      break;
    case kernels::PaddingMode::replicate:
      add(0, before.sum(-1, /*keepdim=*/true));
      add(length - 1, after.sum(-1, /*keepdim=*/true));
      break;
    case kernels::PaddingMode::circular:
      add(length - left, before);
      add(0, after);
      break;
  }
  return samples;
}

}  // namespace tapconv::composed
