// This file says whether a call on a device may go by overlap-save. A transform's rounding error is relative to the
// largest number of its block, whereas a result's may be no larger than what it sees allows (docs/algorithms.md). So
// where numbers of very different size lie side by side, where any is not finite, and where sums have to be exact, a
// direct sum computes the call instead.
//
// The answer depends on the numbers, so each of these waits for the device once. They look at larger stretches than one
// block, and so may say no where a block would do.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/problem.h"

namespace tapconv::composed {

// The shapes are those of kernels::Problem, whose strides are not read.
bool is_even_forward(const kernels::Problem& problem, const at::Tensor& input, const at::Tensor& weight);
bool is_even_grad_input(const kernels::Problem& problem, const at::Tensor& grad_output, const at::Tensor& weight);
bool is_even_grad_weight(const kernels::Problem& problem, const at::Tensor& grad_output, const at::Tensor& input);

}  // namespace tapconv::composed
