// Plans of the weight gradient by tiles (grad_weight_tiles.h), and what they cost.
#pragma once

#include <optional>

#include "kernels/plan.h"

namespace tapconv::kernels {

struct GradWeightTileChoice {
  Plan plan;    // without parts, slots and workspace
  double cost;  // see core/cost.h
};

// The cheapest of all transforms and blocks, or nothing if tiles do not suit the problem.
std::optional<GradWeightTileChoice> decide_grad_weight_tiles(const Problem& problem,
                                                             const InstructionSet& instruction_set);

// The whole plan of such a choice.
Plan plan_grad_weight_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots,
                            const GradWeightTileChoice& choice);

}  // namespace tapconv::kernels
