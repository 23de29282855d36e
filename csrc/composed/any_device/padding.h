// Padding and its gradient are made of operators of torch alone, so they run on any device. They have no atomic sums,
// so that the bits are always the same.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/problem.h"

namespace tapconv::composed {

// Returns `input` (batch, in_channels, input_length) with `left` and `right` positions more, as the padding mode of the
// problem has them. Where there are none it returns `input` itself.
at::Tensor pad(const kernels::Problem& problem, const at::Tensor& input, int64_t left, int64_t right);

// Adds what lies in the first `left` and the last `right` positions of `padded` to the samples that the padding mode of
// the problem copies there, in place; zeros have no sample. `padded` is (batch, in_channels, left + length + right),
// where length is the problem's input_length. Returns the view (batch, in_channels, length) between the ends.
at::Tensor fold_padding(const kernels::Problem& problem, const at::Tensor& padded, int64_t left, int64_t right);

}  // namespace tapconv::composed
