// This file prices the weight gradient (core/cost.h).
#pragma once

#include "kernels/problem.h"

namespace tapconv::kernels {

struct InstructionSet;

// Prices register tiles of `pairs` by the output channels of a group, for one step of the sum.
double grad_weight_sweep_cost(const Problem& problem, int64_t pairs, const InstructionSet& instruction_set);

// Prices lanes over times, which groups of few output channels take.
double time_lane_cost(const Problem& problem, const InstructionSet& instruction_set);

// Prices the weight gradient without transforms.
double grad_weight_cost(const Problem& problem, const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
