// Carries out plans of dot products, of lanes over channels and of lanes over output channels.
#pragma once

#include "kernels/core/kernel_table.h"
#include "kernels/core/parallel.h"

namespace tapconv::kernels {

void run_dot(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_channel_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_out_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Writes operands.packed_weight for a plan whose lanes are output channels.
void pack_out_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
