// This file divides the work of one kernel into blocks. It is plain C++, without a device.
#pragma once

#include "cuda/conv1d.h"
#include "cuda/kernels/launch.h"

namespace tapconv::cuda {

// Every device gives a block so much shared memory without asking. More of it for a block would mean fewer blocks side
// by side, which hide each other's loads.
inline constexpr int shared_memory_budget = 48 * 1024;

// The algorithm is depthwise, direct or matrix. All sizes but kernel_size are at least 1.
ForwardLaunch plan_launch(const kernels::Problem& problem, const kernels::ForwardVariant& variant, Algorithm algorithm);

// Sizes may be 0; then there are no parts.
GradWeightLaunch plan_grad_weight_launch(const kernels::Problem& problem);
SumPartsLaunch plan_weight_sum(const GradWeightLaunch& launch);
SumPartsLaunch plan_bias_sum(const GradWeightLaunch& launch);

// These return the bytes of the partial sums of the weight and of the bias.
size_t weight_parts_bytes(const GradWeightLaunch& launch);
size_t bias_parts_bytes(const GradWeightLaunch& launch);

FillLaunch plan_fill(kernels::DataType type, bool wide, int64_t batch, int64_t channels, int64_t length,
                     const kernels::ActivationStrides& strides);

}  // namespace tapconv::cuda
