// A call of conv1d_context as one of conv1d, on the input and what is read of its borders in one tensor: for devices
// and types without kernels, for transforms, and where filters are so long that a copy of the signal costs little.
#pragma once

#include "ops/arguments/context_call.h"

namespace tapconv::ops {

// Through the dispatcher: differentiable, with conv1d's errors.
at::Tensor conv1d_of_joined(const SymContextCall& call);
at::Tensor conv1d_of_joined(const ContextCall& call);

}  // namespace tapconv::ops
