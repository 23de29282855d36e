// The two gradients by torch's at::convolution_backward.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/arguments.h"

namespace tapconv::ops {

at::Tensor aten_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, const Sizes<int64_t>& sizes,
                           const Attributes& attributes);

at::Tensor aten_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, const Sizes<int64_t>& sizes,
                            const Attributes& attributes);

}  // namespace tapconv::ops
