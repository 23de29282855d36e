// What a handful of outputs costs (core/cost.h).
#pragma once

#include "kernels/plan.h"

namespace tapconv::kernels {

double out_lane_cost(const Plan& plan);

// These two are to be compared with each other alone: they count how weights are read, which other costs leave out.
double dot_cost(const Plan& plan);
double out_lane_cost_with_weights(const Plan& plan);

}  // namespace tapconv::kernels
