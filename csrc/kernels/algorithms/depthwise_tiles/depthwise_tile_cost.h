// What depthwise tiles cost (core/cost.h).
#pragma once

#include "depthwise_tile_plan.h"

namespace tapconv::kernels {

// Of a forward problem or a weight gradient: both take the same steps.
double depthwise_tile_cost(const DepthwiseTilePlan& plan);

}  // namespace tapconv::kernels
