// What a call asks beside its tensors, as the operators take it and as the kernels want it.
#pragma once

#include <ATen/core/ATen_fwd.h>
#include <c10/util/ArrayRef.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/problem.h"
#include "ops/default_algorithm.h"

namespace tapconv::ops {

// The arguments of the operators as the dispatcher hands them over. Borrowed: valid during the call.
struct RawAttributes {
  at::IntArrayRef stride;
  at::IntArrayRef padding;  // one number for both ends, or left and right
  at::IntArrayRef dilation;
  int64_t groups;
  std::string_view padding_mode;
  std::string_view algorithm;
};

// The same, understood: stride, dilation and groups are at least 1, paddings at least 0.
struct Attributes {
  int64_t stride;
  int64_t padding_left;
  int64_t padding_right;
  int64_t dilation;
  int64_t groups;
  kernels::PaddingMode padding_mode;
  kernels::AlgorithmRequest algorithm;
};

// Nothing when torch is to have the call, because its own words for what is wrong are the right ones. Raises ValueError
// for what torch does not know: a padding mode or an algorithm that does not exist. "auto" becomes what the calling
// thread's default binds it to.
std::optional<Attributes> understand(const RawAttributes& raw);

std::string_view name_of(kernels::PaddingMode mode);

// The way back, for calling an operator. Holds the numbers that raw() refers to.
class Spelled {
 public:
  explicit Spelled(const Attributes& attributes);
  RawAttributes raw() const;

 private:
  Attributes attributes_;
  std::array<int64_t, 2> padding_;
};

}  // namespace tapconv::ops
