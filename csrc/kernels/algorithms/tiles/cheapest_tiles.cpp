// This file chooses among transforms and ways of blocking, for filters as they are and for filters prepared before the
// call.
#include <limits>
#include <span>

#include "kernels/instruction_sets/instruction_set.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

// Returns the cheapest plan of all transforms that the problem's request allows, blocked in one of these ways.
Answer<TilePlan> cheapest(std::span<const TileBlocking> blockings, const Problem& problem,
                          const ForwardVariant& variant, const InstructionSet& instruction_set, int slots,
                          FiltersAhead ahead) {
  const char* why_not = "no transform is allowed";
  double least = std::numeric_limits<double>::infinity();
  TileTransform transform{};
  TileBlocking blocking{};
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto candidate = static_cast<TileTransform>(i);
    if (!is_allowed(candidate, problem)) continue;
    for (const TileBlocking way : blockings) {
      const Answer<double> price = tiles_price(problem, variant, instruction_set, slots, candidate, way, ahead);
      if (!price) {
        why_not = price.why_not();
      } else if (*price < least) {
        least = *price;
        transform = candidate;
        blocking = way;
      }
    }
  }
  if (least == std::numeric_limits<double>::infinity()) return Declined{why_not};
  return plan_tiles(problem, variant, instruction_set, slots, transform, blocking, ahead);
}

// Takes the other way of blocking where that has more blocks to keep all slots busy. It gives the same sums. The cost
// stays the one that does not depend on the slots, and so do decisions that are made by it.
void take_if_more_blocks(const Answer<TilePlan>& other, TilePlan& plan) {
  if (!other || other->task_count <= plan.task_count) return;
  const double cost = plan.cost;
  plan = *other;
  plan.cost = cost;
}

bool has_too_few_blocks(const TilePlan& plan, int slots) { return slots > 1 && plan.task_count < 2 * slots; }

}  // namespace

Answer<TilePlan> plan_cheapest_tiles(const Problem& problem, const ForwardVariant& variant,
                                     const InstructionSet& instruction_set, int slots, FiltersAhead ahead) {
  Answer<TilePlan> best = cheapest(all_tile_blockings, problem, variant, instruction_set, slots, ahead);
  if (best && has_too_few_blocks(*best, slots) && !has_filter_lanes(best->tiles)) {
    take_if_more_blocks(
        plan_tiles(problem, variant, instruction_set, slots, best->tiles.transform,
                   shares_tiles(best->tiles) ? TileBlocking::private_tiles : TileBlocking::shared_tiles),
        *best);
  }
  return best;
}

Answer<TilePlan> plan_cheapest_tiles_by_taps(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots) {
  constexpr TileBlocking blockings[] = {TileBlocking::filter_lanes};
  return cheapest(blockings, problem, variant, instruction_set, slots, FiltersAhead::in_lanes);
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
  if (best && has_too_few_blocks(*best, slots)) take_if_more_blocks(shared, *best);
  return best;
}

}  // namespace tapconv::kernels
