// Plans of the tile algorithm, and what they cost.
#pragma once

#include <optional>

#include "plan.h"

namespace tapconv::kernels {

struct TileChoice {
  Plan plan;
  double cost;  // see cost_model.h
};

// The plan for one transform and one way of blocking, or nothing if it does not fit the problem. With `packed_ahead`,
// filters are not transformed in the call.
std::optional<TileChoice> plan_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots, TileTransform transform,
                                     TileBlocking blocking, bool packed_ahead = false);

// The cheapest of all transforms that the problem's request allows.
std::optional<TileChoice> decide_tiles(const Problem& problem, const ForwardVariant& variant,
                                       const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
