// What a handful of outputs costs (core/cost.h).
#pragma once

#include "dot_plan.h"
#include "out_lane_plan.h"

namespace tapconv::kernels {

double out_lane_cost(const OutLanePlan& plan);

// These two are to be compared with each other alone: they count how weights are read, which other costs leave out.
double dot_cost(const DotPlan& plan);
double out_lane_cost_with_weights(const OutLanePlan& plan);

}  // namespace tapconv::kernels
