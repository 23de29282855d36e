#include "ops/dispatch/delegate.h"

#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/PlumbingHelper.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/pad.h>

#include <array>

#include "ops/arguments/arguments.h"

namespace tapconv::ops {
namespace {

// torch chooses by itself how it sums.
void check_algorithm_elsewhere(const at::Tensor& input, const SymRawAttributes& a) {
  if (a.algorithm != "fft" && a.algorithm != "winograd") return;
  const auto is_ours = [](at::ScalarType type) {
    return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
  };
  TORCH_CHECK_VALUE(!input.defined() || (has_kernels(input.device()) && is_ours(input.scalar_type())), "algorithm='",
                    a.algorithm, "' cannot be met: tapconv has kernels for float32, float64, bfloat16 and float16 on ",
                    has_kernels(at::kCUDA) ? "CPUs and CUDA devices" : "the CPU", ", and leaves ", input.scalar_type(),
                    " on ", input.device(), " to torch. Pass algorithm='auto'.");
}

// at::pad does not notice when the length that it would make overflows.
void check_padded_length(const at::Tensor& input, const c10::SymInt& left, const c10::SymInt& right) {
  const auto plain_left = left.maybe_as_int();
  const auto plain_right = right.maybe_as_int();
  if (!plain_left || !plain_right || input.is_nested() || input.dim() == 0) return;
  if (*plain_left < 0 || *plain_right < 0) return;
  int64_t length = 0;
  const auto input_length = input.sym_size(-1).maybe_as_int();
  const bool overflows = __builtin_add_overflow(*plain_left, *plain_right, &length) ||
                         (input_length && __builtin_add_overflow(length, *input_length, &length));
  TORCH_CHECK(!overflows, "conv1d: padding (", left, ", ", right, ") makes an input of ", input.sym_sizes(),
              " longer than 64 bits can count; pass a smaller padding");
}

}  // namespace

void check_groups_under_transforms(const c10::SymInt& groups) {
  TORCH_CHECK(groups.maybe_as_int() != 0 || !at::functorch::maybeCurrentDynamicLayer(),
              "non-positive groups is not supported");
}

bool is_mapped_over_nothing(const at::Tensor& input, const at::Tensor& weight) {
  using at::functorch::isBatchedAtLevel;
  const auto layer = at::functorch::maybeCurrentDynamicLayer();
  if (!layer || layer->key() != at::functorch::TransformType::Vmap || layer->batchSize() != 0) return false;
  return isBatchedAtLevel(input, layer->layerId()) && !isBatchedAtLevel(weight, layer->layerId());
}

at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const SymRawAttributes& a) {
  check_algorithm_elsewhere(input, a);
  check_groups_under_transforms(a.groups);
  // This is the overload that torch.conv1d calls: the other one words some errors of numbers differently.
  const auto convolve = [&](const at::Tensor& signal, c10::SymIntArrayRef padding) {
    return at::conv1d_symint(signal, weight, bias, a.stride, padding, a.dilation, a.groups);
  };
  const bool zeros = a.padding_mode == "zeros";
  if (a.padding.size() != 1 && a.padding.size() != 2) return convolve(input, a.padding);  // raises
  if (zeros && a.padding.size() == 1) return convolve(input, a.padding);
  const c10::SymInt& left = a.padding.front();
  const c10::SymInt& right = a.padding.back();
  const c10::SymInt both = zeros ? left.min(right) : c10::SymInt(0);
  // at::pad would take a negative number as an order to cut; a convolution refuses it.
  if (zeros && (left == right || both < 0)) return convolve(input, both);
  check_padded_length(input, left, right);
  // Only what one end has more than the other is padded ahead, as torch does it where the ends differ.
  const std::array<c10::SymInt, 2> ends = {left - both, right - both};
  const at::Tensor padded = at::pad_symint(input, ends, zeros ? std::string_view("constant") : a.padding_mode);
  return convolve(padded, both);
}

at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const RawAttributes& attributes) {
  return delegate(input, weight, bias, symbolic(attributes));
}

}  // namespace tapconv::ops
