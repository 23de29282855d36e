// Plans of the tile algorithm, and what they cost.
#pragma once

#include "kernels/core/answer.h"
#include "kernels/core/direct_sum.h"
#include "tile_blocks.h"

namespace tapconv::kernels {

// out_block counts register tiles, or with filters in the lanes, panels of output channels.
struct TilePlan : RowPlan {
  TileBlocks tiles;
  bool packed_ahead;  // the filters were transformed before the call (packed/packed_weight.h)

  size_t bias_at;
  size_t packed_weight_at;  // transformed filters

  // For outputs that tiles must not compute: a direct sum whose blocks do not depend on the slots, with a workspace of
  // its own at tiles.fallback_at.
  DirectPlan fallback;
};

// Kinds of segments of the rows that are cut into tiles, by their taps: where the taps do not divide by the number of
// segments, some have one tap less than the others.
constexpr int peak_kinds(const RowPlan& plan) {
  return plan.problem.kernel_size % plan.rows.segment_count == 0 ? 1 : 2;
}

// The plan for one transform and one way of blocking. `ahead` says what was done with the filters before the call; only
// filter lanes can use those in lanes, and the others take them as given.
Answer<TilePlan> plan_tiles(const Problem& problem, const ForwardVariant& variant,
                            const InstructionSet& instruction_set, int slots, TileTransform transform,
                            TileBlocking blocking, FiltersAhead ahead = FiltersAhead::nothing);

// What that plan costs, without making it.
Answer<double> tiles_price(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                           int slots, TileTransform transform, TileBlocking blocking, FiltersAhead ahead);

// The cheapest of all transforms that the problem's request allows. Filters may be in lanes, not transformed.
Answer<TilePlan> plan_cheapest_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots,
                                     FiltersAhead ahead = FiltersAhead::nothing);

// The cheapest that takes taps from the lanes.
Answer<TilePlan> plan_cheapest_tiles_by_taps(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots);

// The cheapest way of blocking for filters that were transformed before the call.
Answer<TilePlan> plan_tiles_by_filters(const Problem& problem, const ForwardVariant& variant,
                                       const InstructionSet& instruction_set, int slots, const FilterLayout& layout);

}  // namespace tapconv::kernels
