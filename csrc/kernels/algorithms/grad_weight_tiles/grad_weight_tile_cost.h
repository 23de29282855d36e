// This file prices weight gradients by tiles (core/cost.h).
#pragma once

#include "grad_weight_tile_plan.h"

namespace tapconv::kernels {

// Reads the tiles and the blocks of channels of the plan, and nothing else of it.
double grad_weight_tile_cost(const Problem& problem, const GradWeightTilePlan& plan,
                             const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
