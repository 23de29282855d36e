// This file prices tiles (core/cost.h).
#pragma once

#include "tile_plan.h"

namespace tapconv::kernels {

double tile_cost(const TilePlan& plan);

}  // namespace tapconv::kernels
