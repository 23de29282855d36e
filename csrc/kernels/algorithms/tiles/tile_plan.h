// This file plans the tile algorithm.
#pragma once

#include "kernels/core/answer.h"
#include "kernels/core/direct_sum.h"
#include "tile_blocks.h"

namespace tapconv::kernels {

// In this plan, out_block counts register tiles or, with filters in the lanes, panels of output channels.
struct TilePlan : RowPlan {
  TileBlocks tiles;
  bool packed_ahead;  // the filters were transformed before the call (packed/packed_weight.h)

  size_t bias_at;
  size_t packed_weight_at;  // transformed filters

  // A direct sum computes the outputs that tiles must not compute. Its blocks do not depend on the slots, and it has a
  // workspace of its own at tiles.fallback_at.
  DirectPlan fallback;
};

// Returns how many kinds of segments the rows have that are cut into tiles, by their taps. Where the number of segments
// does not divide the taps, some segments have one tap less than the others.
constexpr int peak_kinds(const RowPlan& plan) {
  return plan.problem.kernel_size % plan.rows.segment_count == 0 ? 1 : 2;
}

// Plans one transform and one way of blocking. `ahead` says what was done with the filters before the call. Only filter
// lanes can use those in lanes; the other ways take them as given.
Answer<TilePlan> plan_tiles(const Problem& problem, const ForwardVariant& variant,
                            const InstructionSet& instruction_set, int slots, TileTransform transform,
                            TileBlocking blocking, FiltersAhead ahead = FiltersAhead::nothing);

// Returns what that plan costs, without making it.
Answer<double> tiles_price(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                           int slots, TileTransform transform, TileBlocking blocking, FiltersAhead ahead);

// Returns the cheapest plan of all transforms that the problem's request allows. Filters may be in lanes, not
// transformed.
Answer<TilePlan> plan_cheapest_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots,
                                     FiltersAhead ahead = FiltersAhead::nothing);

// Returns the cheapest plan that takes taps from the lanes.
Answer<TilePlan> plan_cheapest_tiles_by_taps(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots);

// Returns the cheapest way of blocking for filters that were transformed before the call.
Answer<TilePlan> plan_tiles_by_filters(const Problem& problem, const ForwardVariant& variant,
                                       const InstructionSet& instruction_set, int slots, const FilterLayout& layout);

}  // namespace tapconv::kernels
