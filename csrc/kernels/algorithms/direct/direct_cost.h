// What the direct sum costs (core/cost.h).
#pragma once

#include "kernels/plan.h"

namespace tapconv::kernels {

double direct_cost(const Plan& plan);

}  // namespace tapconv::kernels
