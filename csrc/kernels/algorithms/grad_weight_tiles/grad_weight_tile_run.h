// This file carries out plans of the weight gradient by tiles.
#pragma once

#include "grad_weight_tile_plan.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

void run_grad_weight_tiles(const GradWeightTilePlan& plan, const GradWeightOperands& operands,
                           const Parallel& parallel);

}  // namespace tapconv::kernels
