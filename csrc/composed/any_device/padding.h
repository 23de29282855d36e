// Padding and its gradient, in operators of torch alone: on any device, without atomic sums, so always the same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/problem.h"

namespace tapconv::composed {

// `input` (batch, in_channels, input_length) with `left` and `right` positions more, as the problem's padding mode has
// them. Itself where there are none.
at::Tensor pad(const kernels::Problem& problem, const at::Tensor& input, int64_t left, int64_t right);

// Adds what lies in the first `left` and the last `right` positions of `padded` (batch, in_channels, left + length +
// right), where length is the problem's input_length, to the samples that the problem's padding mode copies there, in
// place; zeros have no sample. Returns the view (batch, in_channels, length) between them.
at::Tensor fold_padding(const kernels::Problem& problem, const at::Tensor& padded, int64_t left, int64_t right);

}  // namespace tapconv::composed
