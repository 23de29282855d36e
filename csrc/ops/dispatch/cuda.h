// The forward operator on CUDA devices, below autograd, in memory that the caller may keep.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/arguments/arguments.h"

namespace tapconv::ops {

// The output: in `output`, which has its shape, any strides, and shares no memory with the others, where a kernel of
// ours computes it; where torch's operators do, in a tensor of its own.
at::Tensor conv1d_cuda(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const RawAttributes& raw, const Sizes<int64_t>& sizes, const Attributes& attributes,
                       const at::Tensor& output);

}  // namespace tapconv::ops
