// This file prices depthwise tiles (core/cost.h).
#pragma once

#include "depthwise_tile_plan.h"

namespace tapconv::kernels {

// The price serves forward problems and weight gradients, which take the same steps.
double depthwise_tile_cost(const DepthwiseTilePlan& plan);

}  // namespace tapconv::kernels
