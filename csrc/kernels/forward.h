// The parts of a forward call, for callers that make them at different times (packed_weight.cpp).
#pragma once

#include "conv1d.h"
#include "kernel_table.h"

namespace tapconv::kernels {

// A whole call. Where the plan was made for weights packed ahead, operands.packed_weight has them.
void run_forward(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Writes operands.packed_weight for a direct plan.
void pack_register_tiles(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// The same for a plan whose lanes are output channels.
void pack_out_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// The same for a plan of tiles, whose first flag is raised if the filters do not fit the transform's range.
void transform_all_filters(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// The same for filters that such a plan takes in the lanes and transforms in the call.
void bring_all_filters_into_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
