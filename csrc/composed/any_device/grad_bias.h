// This file has the gradient of a convolution by its bias alone.
#pragma once

#include <ATen/core/Tensor.h>

namespace tapconv::composed {

// Sums grad_output (batch, out_channels, output_length), or the same without the batch, over samples and times to
// (out_channels). It goes through the dispatcher, so torch's own derivatives apply.
at::Tensor grad_bias_of(const at::Tensor& grad_output);

}  // namespace tapconv::composed
