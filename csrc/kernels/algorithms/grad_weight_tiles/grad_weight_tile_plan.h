// This file plans the weight gradient by tiles (grad_weight_tiles.h).
#pragma once

#include "kernels/algorithms/grad_weight/grad_weight_plan.h"
#include "kernels/algorithms/tiles/tile_blocks.h"
#include "kernels/core/answer.h"

namespace tapconv::kernels {

struct GradWeightTilePlan : GradWeightPlan {
  TileBlocks tiles;
  GradWeightPlan fallback;  // for numbers that must not be transformed, with a workspace at tiles.fallback_at
};

// Returns the cheapest plan of all transforms that the problem's request allows, and of all blocks.
Answer<GradWeightTilePlan> plan_grad_weight_tiles(const Problem& problem, const InstructionSet& instruction_set,
                                                  int slots);

}  // namespace tapconv::kernels
