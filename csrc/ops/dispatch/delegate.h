// torch's own convolution, for what the kernels do not take: its results, and its errors.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

// at::conv1d; where the padding mode is not zeros, or the ends are padded differently, of at::pad's output, which is
// how torch.nn.Conv1d does it. Raises ValueError where a transform is asked for on types or devices without kernels.
// Goes through the dispatcher: under autograd, torch's own derivatives apply.
at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const SymRawAttributes& attributes);
at::Tensor delegate(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const RawAttributes& attributes);

// Raises what torch's convolution does if there are no groups, wherever a transform of torch.func is at work: torch's
// rules for vmap divide by the groups before anything is checked, which ends the process.
void check_groups_under_transforms(const c10::SymInt& groups);

// Does the innermost transform map a convolution of this input over nothing, and so without a weight of its own?
// torch's rule gives such a result a shape that no sample's output has, and raises where the weight is mapped.
bool is_mapped_over_nothing(const at::Tensor& input, const at::Tensor& weight);

}  // namespace tapconv::ops
