// This file says which algorithm computes a problem. It is plain C++, without a device.
#pragma once

#include "cuda/conv1d.h"

namespace tapconv::cuda {

using kernels::Direction;

// Returns the algorithm for one direction of the whole problem.
Algorithm choose_algorithm(const kernels::Problem& problem, Direction direction, const Device& device,
                           const Settings& settings);

// Returns the kernel for a forward problem that is computed here: depthwise, direct or matrix.
Algorithm choose_kernel(const kernels::Problem& problem, const Device& device, const Settings& settings);

}  // namespace tapconv::cuda
