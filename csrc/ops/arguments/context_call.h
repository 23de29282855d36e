// What a call of conv1d_context asks: a convolution whose padding is samples of borders.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>
#include <utility>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

// Borrowed: valid during the call. What the borders lack against the padding is zeros.
template <typename Int>
struct ContextCallOf {
  const at::Tensor& input;
  const at::Tensor& weight;
  const std::optional<at::Tensor>& bias;
  const std::optional<at::Tensor>& left;
  const std::optional<at::Tensor>& right;
  RawAttributesOf<Int> attributes;

  // As the schema lists them: see schema/unboxed.h.
  static ContextCallOf from_arguments(const at::Tensor& input, const at::Tensor& weight,
                                      const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& left,
                                      const std::optional<at::Tensor>& right, c10::ArrayRef<Int> stride,
                                      c10::ArrayRef<Int> padding, c10::ArrayRef<Int> dilation, Int groups,
                                      std::string_view algorithm) {
    return {input, weight, bias, left, right, {stride, padding, dilation, std::move(groups), "zeros", algorithm}};
  }
  auto arguments() const {
    const auto& a = attributes;
    return std::tie(input, weight, bias, left, right, a.stride, a.padding, a.dilation, a.groups, a.algorithm);
  }
};
using ContextCall = ContextCallOf<int64_t>;
using SymContextCall = ContextCallOf<c10::SymInt>;

}  // namespace tapconv::ops
