// What a call asks beside its tensors, as the operators take it and as the kernels want it.
//
// Numbers are plain where there is data, and c10::SymInt on the layers above, where a tracer may not know them yet.
#pragma once

#include <ATen/core/ATen_fwd.h>
#include <c10/core/SymIntArrayRef.h>
#include <c10/util/ArrayRef.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "kernels/problem.h"
#include "ops/arguments/default_algorithm.h"

namespace tapconv::ops {

// The arguments of the operators as the dispatcher hands them over. Borrowed: valid during the call. from_arguments()
// and arguments() have them in the order of the schemas: see schema/unboxed.h.
template <typename Int>
struct RawAttributesOf {
  c10::ArrayRef<Int> stride;
  c10::ArrayRef<Int> padding;  // one number for both ends, or left and right
  c10::ArrayRef<Int> dilation;
  Int groups;
  std::string_view padding_mode;
  std::string_view algorithm;

  static RawAttributesOf from_arguments(c10::ArrayRef<Int> stride, c10::ArrayRef<Int> padding,
                                        c10::ArrayRef<Int> dilation, Int groups, std::string_view padding_mode,
                                        std::string_view algorithm) {
    return {stride, padding, dilation, std::move(groups), padding_mode, algorithm};
  }
  auto arguments() const { return std::tie(stride, padding, dilation, groups, padding_mode, algorithm); }
};
using RawAttributes = RawAttributesOf<int64_t>;
using SymRawAttributes = RawAttributesOf<c10::SymInt>;

// The same where the padding is a word: "valid", "same" or "causal".
struct WordedAttributes {
  c10::SymIntArrayRef stride;
  std::string_view padding;
  c10::SymIntArrayRef dilation;
  c10::SymInt groups;
  std::string_view padding_mode;
  std::string_view algorithm;

  static WordedAttributes from_arguments(c10::SymIntArrayRef stride, std::string_view padding,
                                         c10::SymIntArrayRef dilation, c10::SymInt groups,
                                         std::string_view padding_mode, std::string_view algorithm) {
    return {stride, padding, dilation, std::move(groups), padding_mode, algorithm};
  }
  auto arguments() const { return std::tie(stride, padding, dilation, groups, padding_mode, algorithm); }

  // With the word in numbers, which are borrowed too.
  SymRawAttributes padded_by(c10::SymIntArrayRef samples) const {
    return {stride, samples, dilation, groups, padding_mode, algorithm};
  }
};

// The same for a transposed convolution, whose arguments torch has in another order.
struct TransposedAttributes {
  c10::SymIntArrayRef stride;
  c10::SymIntArrayRef padding;
  c10::SymIntArrayRef output_padding;
  c10::SymInt groups;
  c10::SymIntArrayRef dilation;

  static TransposedAttributes from_arguments(c10::SymIntArrayRef stride, c10::SymIntArrayRef padding,
                                             c10::SymIntArrayRef output_padding, c10::SymInt groups,
                                             c10::SymIntArrayRef dilation) {
    return {stride, padding, output_padding, std::move(groups), dilation};
  }
  auto arguments() const { return std::tie(stride, padding, output_padding, groups, dilation); }
};

// What a weight is packed for. Without an input length, a usual one is assumed.
struct PackingAttributes {
  at::IntArrayRef stride;
  at::IntArrayRef dilation;
  int64_t groups;
  std::optional<int64_t> input_length;
  int64_t batch;
  std::string_view algorithm;

  static PackingAttributes from_arguments(at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                                          std::optional<int64_t> input_length, int64_t batch,
                                          std::string_view algorithm) {
    return {stride, dilation, groups, input_length, batch, algorithm};
  }
  auto arguments() const { return std::tie(stride, dilation, groups, input_length, batch, algorithm); }
};

// The same, understood: stride, dilation and groups are at least 1, paddings at least 0.
template <typename Int>
struct AttributesOf {
  Int stride;
  Int padding_left;
  Int padding_right;
  Int dilation;
  Int groups;
  kernels::PaddingMode padding_mode;
  kernels::AlgorithmRequest algorithm;
};
using Attributes = AttributesOf<int64_t>;
using SymAttributes = AttributesOf<c10::SymInt>;

// Plain numbers, for the layers that take either. Refers to the same memory.
SymRawAttributes symbolic(const RawAttributes& raw);
inline c10::SymIntArrayRef symbolic(at::IntArrayRef numbers) { return c10::fromIntArrayRefSlow(numbers); }

// Nothing when torch is to have the call, because its own words for what is wrong are the right ones. Raises ValueError
// for what torch does not know: a padding mode or an algorithm that does not exist. "auto" becomes what the calling
// thread's default binds it to. With numbers that a tracer stands in for, guards on what it has to look at.
std::optional<Attributes> understand(const RawAttributes& raw);
std::optional<SymAttributes> understand(const SymRawAttributes& raw);

// The same attributes in plain numbers, if all are known.
std::optional<Attributes> plain(const SymAttributes& attributes);

// The way back, for calling an operator. Holds the numbers that raw() refers to.
class Spelled {
 public:
  explicit Spelled(const SymAttributes& attributes);
  SymRawAttributes raw() const;

 private:
  SymAttributes attributes_;
  std::array<c10::SymInt, 2> padding_;
  size_t paddings_;
};

}  // namespace tapconv::ops
