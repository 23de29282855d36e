// What the direct sum by matrices costs (core/cost.h).
#pragma once

#include "kernels/plan.h"

namespace tapconv::kernels {

double matrix_cost(const Plan& plan);

}  // namespace tapconv::kernels
