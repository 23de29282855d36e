// What tiles cost (core/cost.h).
#pragma once

#include "kernels/plan.h"

namespace tapconv::kernels {

double tile_cost(const Plan& plan);

}  // namespace tapconv::kernels
