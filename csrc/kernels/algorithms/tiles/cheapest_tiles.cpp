// The choice among transforms and ways of blocking, for filters as they are and for filters prepared before the call.
#include <utility>

#include "kernels/instruction_sets/instruction_set.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

constexpr Declined no_transform = {"no transform is allowed"};

}  // namespace

Answer<TilePlan> plan_cheapest_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots, FiltersAhead ahead) {
  Answer<TilePlan> best = no_transform;
  for (int i = 0; i < tile_transform_count; ++i) {
    if (!is_allowed(static_cast<TileTransform>(i), problem)) continue;
    for (const TileBlocking blocking : all_tile_blockings) {
      Answer<TilePlan> answer =
          plan_tiles(problem, variant, instruction_set, slots, static_cast<TileTransform>(i), blocking, ahead);
      if (!best || (answer && answer->cost < best->cost)) best = std::move(answer);
    }
  }
  // Too few blocks to keep all slots busy: the other way of blocking may have more, and gives the same sums.
  if (best && slots > 1 && best->plan.task_count < 2 * slots && !has_filter_lanes(best->plan.tiles)) {
    const Answer<TilePlan> other =
        plan_tiles(problem, variant, instruction_set, slots, best->plan.tiles.transform,
                   shares_tiles(best->plan.tiles) ? TileBlocking::private_tiles : TileBlocking::shared_tiles);
    // The cost stays the one that does not depend on the slots, and so do decisions that are made by it.
    if (other && other->plan.task_count > best->plan.task_count) best->plan = other->plan;
  }
  return best;
}

Answer<TilePlan> plan_cheapest_tiles_by_taps(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots) {
  Answer<TilePlan> best = no_transform;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, problem)) continue;
    Answer<TilePlan> answer = plan_tiles(problem, variant, instruction_set, slots, transform,
                                         TileBlocking::filter_lanes, FiltersAhead::in_lanes);
    if (!best || (answer && answer->cost < best->cost)) best = std::move(answer);
  }
  return best;
}

Answer<TilePlan> plan_tiles_by_filters(const Problem& problem, const ForwardVariant& variant,
                                       const InstructionSet& instruction_set, int slots, const FilterLayout& layout) {
  const auto plan = [&](TileBlocking blocking) {
    return plan_tiles(problem, variant, instruction_set, slots, layout.transform, blocking, FiltersAhead::transformed);
  };
  if (layout.lanes) return plan(TileBlocking::filter_lanes);
  Answer<TilePlan> best = plan(TileBlocking::private_tiles);
  const Answer<TilePlan> shared = plan(TileBlocking::shared_tiles);
  if (!best || (shared && shared->cost < instruction_set.prices->choices.worth_sharing * best->cost)) best = shared;
  if (!best || !shared || slots == 1 || best->plan.task_count >= 2 * slots) return best;
  // Too few blocks to keep all slots busy: the other way of blocking gives the same sums. The cost stays the one that
  // does not depend on the slots.
  if (shared->plan.task_count > best->plan.task_count) best->plan = shared->plan;
  return best;
}

}  // namespace tapconv::kernels
