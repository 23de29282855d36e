// Carries out plans of dot products, of lanes over channels, of lanes over output channels, and of columns.
#pragma once

#include "column_plan.h"
#include "dot_plan.h"
#include "kernels/core/kernel_table.h"
#include "kernels/core/parallel.h"
#include "out_lane_plan.h"

namespace tapconv::kernels {

void run_dot(const DotPlan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_channel_lanes(const ChannelLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Writes operands.packed_weight for a plan whose lanes are output channels.
void pack_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

// The gradient by the input. False if sums were not finite: then another way has to compute it.
bool run_grad_input_columns(const ColumnPlan& plan, const ForwardOperands& operands, const Parallel& parallel);

void run_grad_weight_columns(const ColumnPlan& plan, const GradWeightOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
