// What plans cost, in units of one vector multiply-add at full speed. From the plan alone: the same problem costs the
// same on every call, and the estimates are ratios, which differ little among machines of one instruction set.
#pragma once

#include <algorithm>

#include "plan.h"

namespace tapconv::kernels {

// How many multiply-adds a register tile takes in the time of `rows * columns` at full speed. Every step also loads
// `rows` weights and `columns` vectors, two in a cycle like multiply-adds.
inline double tile_time(double rows, double columns) { return std::max(rows * columns, rows + columns); }

double direct_cost(const Plan& plan);
double tile_cost(const Plan& plan);
double out_lane_cost(const Plan& plan);

// These two are to be compared with each other alone: they count how weights are read, which all plans above leave out.
double dot_cost(const Plan& plan);
double out_lane_cost_with_weights(const Plan& plan);

double depthwise_tile_cost(const Plan& plan);  // forward or weight gradient: both take the same steps

// The weight gradient with channel lanes, directly, and by tiles; of the latter's plan the tiles and the blocks of
// channels count.
double grad_weight_direct_cost(const Problem& problem, const InstructionSet& instruction_set);
// With lanes over times, which groups of few output channels take.
double grad_weight_time_lane_cost(const Problem& problem, const InstructionSet& instruction_set);
double grad_weight_tile_cost(const Problem& problem, const Plan& plan, const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
