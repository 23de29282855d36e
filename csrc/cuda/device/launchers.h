// These start kernels on a stream of the current device; each .cu file defines its own. They return null, or the text
// of CUDA's error.
#pragma once

#include "cuda/kernels/launch.h"

namespace tapconv::cuda {

const char* launch_depthwise(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream);
const char* launch_direct(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream);
const char* launch_matrix(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream);
const char* launch_grad_weight(const GradWeightLaunch& launch, const GradWeightArguments& arguments, void* stream);
const char* launch_fill(const FillLaunch& launch, const FillArguments& arguments, void* stream);
const char* launch_sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments, void* stream);

}  // namespace tapconv::cuda
