// The gradient of a convolution by its bias alone.
#pragma once

#include <ATen/core/Tensor.h>

namespace tapconv::composed {

// grad_output (batch, out_channels, output_length), or without the batch, summed over samples and times:
// (out_channels). Goes through the dispatcher: torch's own derivatives apply.
at::Tensor grad_bias_of(const at::Tensor& grad_output);

}  // namespace tapconv::composed
