// The forward operator on the CPU, below autograd, writing where it is told.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/arguments/arguments.h"

namespace tapconv::ops {

// Raises unless the problem can be computed by the algorithm that it asks for.
void check_request(const kernels::Problem& problem, at::ScalarType type, at::IntArrayRef weight_shape);

// Computes into `output`, which has the shape of the output, any strides, and shares no memory with the others.
void conv1d_into(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                 const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output);

}  // namespace tapconv::ops
