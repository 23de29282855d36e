// Carries out plans of dot products, of lanes over channels, and of lanes over output channels.
#pragma once

#include "dot_plan.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "out_lane_plan.h"

namespace tapconv::kernels {

void run_dot(const DotPlan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_channel_lanes(const ChannelLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Writes operands.packed_weight for a plan whose lanes are output channels.
void pack_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
