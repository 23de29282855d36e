#include "ops/delegate.h"

#include <ATen/ops/conv1d.h>
#include <ATen/ops/pad.h>
#include <c10/util/DimVector.h>

#include <algorithm>

#include "ops/arguments.h"

namespace tapconv::ops {
namespace {

// torch chooses by itself how it sums.
void check_algorithm_elsewhere(const at::Tensor& input, const RawAttributes& a) {
  if (a.algorithm != "fft" && a.algorithm != "winograd") return;
  const auto is_ours = [](at::ScalarType type) {
    return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
  };
  TORCH_CHECK_VALUE(!input.defined() || (has_kernels(input.device()) && is_ours(input.scalar_type())), "algorithm='",
                    a.algorithm, "' cannot be met: tapconv has kernels for float32, float64, bfloat16 and float16 on ",
                    has_kernels(at::kCUDA) ? "CPUs and CUDA devices" : "the CPU", ", and leaves ", input.scalar_type(),
                    " on ", input.device(), " to torch. Pass algorithm='auto'.");
}

c10::SymDimVector symbolic(at::IntArrayRef numbers) { return {numbers.begin(), numbers.end()}; }

// at::pad does not notice when the length that it would make overflows.
void check_padded_length(const at::Tensor& input, int64_t left, int64_t right) {
  if (input.is_nested() || input.dim() == 0 || left < 0 || right < 0) return;
  int64_t length = 0;
  const bool overflows = __builtin_add_overflow(left, right, &length) ||
                         (!input.sym_size(-1).is_symbolic() && __builtin_add_overflow(length, input.size(-1), &length));
  TORCH_CHECK(!overflows, "conv1d: padding (", left, ", ", right, ") makes an input of ", input.sym_sizes(),
              " longer than 64 bits can count; pass a smaller padding");
}

}  // namespace

at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const RawAttributes& a) {
  // By the overload that torch.conv1d calls: the other one has words of its own for some numbers out of range.
  const auto convolve = [&](const at::Tensor& signal, at::IntArrayRef padding) {
    return at::conv1d_symint(signal, weight, bias, symbolic(a.stride), symbolic(padding), symbolic(a.dilation),
                             a.groups);
  };
  check_algorithm_elsewhere(input, a);
  const bool zeros = a.padding_mode == "zeros";
  if (a.padding.size() != 1 && a.padding.size() != 2) return convolve(input, a.padding);  // raises
  const int64_t left = a.padding.front();
  const int64_t right = a.padding.back();
  // at::pad would take a negative number as an order to cut; a convolution refuses it.
  if (zeros && (left == right || std::min(left, right) < 0)) return convolve(input, std::min(left, right));
  check_padded_length(input, left, right);
  // Only what one end has more than the other is padded ahead, as torch does it where the ends differ.
  const int64_t both = zeros ? std::min(left, right) : 0;
  const at::Tensor padded =
      at::pad(input, {left - both, right - both}, zeros ? std::string_view("constant") : a.padding_mode);
  return convolve(padded, both);
}

}  // namespace tapconv::ops
