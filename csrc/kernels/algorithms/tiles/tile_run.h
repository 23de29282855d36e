// This file carries out plans of tiles, and of the direct sum beside them for what must not be transformed.
#pragma once

#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "tile_plan.h"

namespace tapconv::kernels {

void run_tiles(const TilePlan& plan, ForwardOperands operands, const Parallel& parallel);

// Writes operands.packed_weight for a plan of tiles. The first flag of the plan is raised if the filters do not fit the
// range of the transform.
void transform_all_filters(const TilePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Does the same for filters that such a plan takes in the lanes and transforms in the call.
void bring_all_filters_into_lanes(const TilePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
