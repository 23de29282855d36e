// This file prices the direct sum (core/cost.h).
#pragma once

#include "kernels/core/direct_sum.h"

namespace tapconv::kernels {

double direct_cost(const DirectPlan& plan);

}  // namespace tapconv::kernels
