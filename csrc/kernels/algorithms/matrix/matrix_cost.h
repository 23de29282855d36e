// This file prices the direct sum by matrices (core/cost.h).
#pragma once

#include "kernels/core/direct_sum.h"

namespace tapconv::kernels {

double matrix_cost(const DirectPlan& plan);

}  // namespace tapconv::kernels
