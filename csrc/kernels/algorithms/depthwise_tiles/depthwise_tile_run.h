// This file carries out plans of depthwise tiles and of their weight gradient.
#pragma once

#include "depthwise_tile_plan.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

void run_depthwise_tiles(const DepthwiseTilePlan& plan, const ForwardOperands& operands, const Parallel& parallel);

void run_grad_weight_depthwise_tiles(const GradWeightDepthwiseTilePlan& plan, const GradWeightOperands& operands,
                                     const Parallel& parallel);

}  // namespace tapconv::kernels
