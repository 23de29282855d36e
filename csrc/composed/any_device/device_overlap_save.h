// Overlap-save (kernels/overlap_save.h) is made here of operators of torch alone, each on all blocks at once. It is for
// devices that are fed whole tensors, as GPUs are. Gathering the blocks is one strided view, because the phases of the
// stride and of the dilation, the blocks and the samples each lie at constant distances.
//
// Unlike the one for the CPU it does not look at the numbers: a NaN or an infinity reaches every output of its block,
// and so does the rounding of large numbers. device_evenness.h says whether a call may come here.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

#include "kernels/overlap_save.h"

namespace tapconv::composed {

// The shapes are those of kernels::Problem, whose strides are not read. bfloat16 and float16 are summed in float32.
// Each returns a tensor of the arguments' type. `bias` may be undefined.
at::Tensor device_overlap_save_forward(const kernels::Problem& problem, const at::Tensor& input,
                                       const at::Tensor& weight, const at::Tensor& bias);
at::Tensor device_overlap_save_grad_input(const kernels::Problem& problem, const at::Tensor& grad_output,
                                          const at::Tensor& weight);
at::Tensor device_overlap_save_grad_weight(const kernels::Problem& problem, const at::Tensor& grad_output,
                                           const at::Tensor& input);

}  // namespace tapconv::composed
