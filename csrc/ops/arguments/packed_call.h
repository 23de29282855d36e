// What a call of conv1d_packed asks.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>
#include <utility>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

// Borrowed: valid during the call. The algorithm is no argument: it was chosen when the weight was packed.
template <typename Int>
struct PackedCallOf {
  const at::Tensor& input;
  const at::Tensor& packed;
  c10::ArrayRef<Int> weight_shape;
  const std::optional<at::Tensor>& bias;
  RawAttributesOf<Int> attributes;

  // As the schema lists them: see schema/unboxed.h.
  static PackedCallOf from_arguments(const at::Tensor& input, const at::Tensor& packed, c10::ArrayRef<Int> weight_shape,
                                     const std::optional<at::Tensor>& bias, c10::ArrayRef<Int> stride,
                                     c10::ArrayRef<Int> padding, c10::ArrayRef<Int> dilation, Int groups,
                                     std::string_view padding_mode) {
    return {input, packed, weight_shape, bias, {stride, padding, dilation, std::move(groups), padding_mode, "auto"}};
  }
  auto arguments() const {
    const auto& a = attributes;
    return std::tie(input, packed, weight_shape, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode);
  }
};
using PackedCall = PackedCallOf<int64_t>;
using SymPackedCall = PackedCallOf<c10::SymInt>;

}  // namespace tapconv::ops
