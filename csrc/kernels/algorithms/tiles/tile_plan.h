// Plans of the tile algorithm, and what they cost.
#pragma once

#include <optional>

#include "kernels/plan.h"

namespace tapconv::kernels {

struct TileChoice {
  Plan plan;
  double cost;  // see core/cost.h
};

// The plan for one transform and one way of blocking, or nothing if it does not fit the problem. `ahead` says what was
// done with the filters before the call; only filter lanes can use those in lanes, and the others take them as given.
std::optional<TileChoice> plan_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots, TileTransform transform,
                                     TileBlocking blocking, FiltersAhead ahead = FiltersAhead::nothing);

// The cheapest of all transforms that the problem's request allows. Filters may be in lanes, not transformed.
std::optional<TileChoice> decide_tiles(const Problem& problem, const ForwardVariant& variant,
                                       const InstructionSet& instruction_set, int slots,
                                       FiltersAhead ahead = FiltersAhead::nothing);

}  // namespace tapconv::kernels
