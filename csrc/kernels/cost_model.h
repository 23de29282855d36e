// What plans cost, in units of one vector multiply-add at full speed. From the plan alone: the same problem costs the
// same on every call, and the estimates are ratios, which differ little among machines of one instruction set.
#pragma once

#include "plan.h"

namespace tapconv::kernels {

double direct_cost(const Plan& plan);
double tile_cost(const Plan& plan);

}  // namespace tapconv::kernels
