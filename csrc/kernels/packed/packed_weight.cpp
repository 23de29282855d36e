#include "packed_weight.h"

#include <algorithm>
#include <cstring>

#include "kernels/algorithms.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/direct/direct_run.h"
#include "kernels/algorithms/few_outputs/few_outputs_run.h"
#include "kernels/algorithms/few_outputs/out_lane_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/tiles/tile_run.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/choose.h"
#include "kernels/core/blocking.h"
#include "kernels/core/forward_variant.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/overlap_save.h"
#include "packed_header.h"

namespace tapconv::kernels {
namespace {

Problem with_contiguous_weight(Problem p) {
  p.weight_strides = {p.in_channels / p.groups * p.kernel_size, p.kernel_size, 1};
  return p;
}

// Returns tiles whose filters are worth their memory, if there are any. Transformed filters are several times as large
// as plain weights. From beyond the cache, reading them can take longer than transforming anew; then taps in the lanes
// may be worth their memory.
Answer<TilePlan> choose_filters(const Problem& p, const DirectPlan& direct, const InstructionSet& instruction_set,
                                int slots) {
  const ForwardVariant variant = plain_variant(p);
  Answer<TilePlan> best = Declined{"no transform is allowed"};
  int max_products = 0;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, p)) continue;
    for (const bool lanes : {false, true}) {
      const Answer<TilePlan> answer = plan_tiles_by_filters(p, variant, instruction_set, slots, {transform, lanes});
      const int products = shape_of(transform).products;
      const double wanted = products > max_products ? instruction_set.prices->choices.worth_more_memory : 1;
      if (!answer || (best && answer->cost >= wanted * best->cost)) continue;
      best = answer;
      max_products = products;
    }
  }
  const Answer<TilePlan> in_call = plan_cheapest_tiles(p, variant, instruction_set, slots, FiltersAhead::in_lanes);
  if (in_call && (!best || in_call->cost <= best->cost)) best = in_call;
  if (!best) return best;
  if (best->tiles.ahead == FiltersAhead::nothing) return Declined{"transforming filters in the call costs less"};
  if (!asks_for_transforms(p.algorithm) && best->cost >= direct_cost(direct)) return Declined{"direct sums cost less"};
  const Answer<DepthwiseTilePlan> depthwise = plan_cheapest_depthwise_tiles(p, variant, instruction_set, slots);
  if (depthwise && depthwise->cost <= best->cost) return Declined{"depthwise tiles cost less"};
  // The layer above computes very long filters by large transforms, from the plain weights.
  if (choose_overlap_save(p, Direction::forward, instruction_set)) return Declined{"large transforms cost less"};
  return best;
}

}  // namespace

WeightPacking plan_weight_packing(const Problem& typical, const InstructionSet& instruction_set, int slots,
                                  std::optional<FilterLayout> filters, bool taps_in_lanes) {
  const Problem p = with_contiguous_weight(typical);
  WeightPacking packing{};
  packing.header = lay_out(p, instruction_set);
  packing.direct =
      plan_cheapest_direct(p, plain_variant(p), instruction_set, slots, packing.header.register_tiles_at > 0);
  packing.workspace_bytes = cache_line_bytes;
  const bool automatic = !filters && !taps_in_lanes;
  if (automatic && p.algorithm == AlgorithmRequest::automatic) {
    const Answer<OutLanePlan> lanes = plan_out_lanes(p, instruction_set, slots);
    if (lanes && lanes->cost < direct_cost(packing.direct)) {
      packing.out_lanes = *lanes;
      lay_out_lanes(p, instruction_set, packing.header);
      return packing;
    }
  }
  const ForwardVariant variant = plain_variant(p);
  const Answer<TilePlan> best = filters         ? plan_tiles_by_filters(p, variant, instruction_set, slots, *filters)
                                : taps_in_lanes ? plan_cheapest_tiles_by_taps(p, variant, instruction_set, slots)
                                                : choose_filters(p, packing.direct, instruction_set, slots);
  if (!best) return packing;
  const TileBlocks& tiles = best->tiles;
  if (tiles.ahead == FiltersAhead::in_lanes
          ? lay_out_taps(p, instruction_set, packing.header)
          : lay_out_filters(p, instruction_set, {tiles.transform, has_filter_lanes(tiles)}, packing.header)) {
    packing.tiles = *best;
    packing.workspace_bytes = best->workspace_bytes;
  }
  return packing;
}

void pack_weight(const WeightPacking& packing, const void* weight, void* packed, void* workspace,
                 const Parallel& parallel) {
  PackedHeader header = packing.header;
  char* const to = static_cast<char*>(packed);
  std::memset(to, 0, static_cast<size_t>(header.bytes));
  const int64_t elements = header.out_channels * header.group_in_channels * header.kernel_size;
  std::memcpy(to + header.plain_at, weight,
              static_cast<size_t>(elements * storage_bytes(packing.direct.problem.data_type)));
  ForwardOperands operands{nullptr, weight, nullptr, nullptr, workspace, nullptr};
  if (header.register_tiles_at > 0) {
    operands.packed_weight = to + header.register_tiles_at;
    pack_register_tiles(packing.direct, operands, parallel);
  }
  if (header.out_lanes_at > 0) {
    operands.packed_weight = to + header.out_lanes_at;
    pack_out_lanes(packing.out_lanes, operands, parallel);
  }
  if (header.filters_at > 0 || header.taps_at > 0) {
    char* const flag = static_cast<char*>(workspace) + packing.tiles.tiles.flags_at;
    *flag = 0;
    if (header.filters_at > 0) {
      operands.packed_weight = to + header.filters_at;
      transform_all_filters(packing.tiles, operands, parallel);
    } else {
      operands.packed_weight = to + header.taps_at;
      bring_all_filters_into_lanes(packing.tiles, operands, parallel);
    }
    header.filters_fit = *flag == 0;
  }
  header.checksum = checksum_of(header);
  std::memcpy(to, &header, sizeof header);
}

Prepared prepared_of(const PackedWeight& weight) {
  return {.register_tiles = weight.register_tiles != nullptr,
          .out_lanes = weight.out_lanes != nullptr,
          .taps = weight.taps != nullptr,
          .filters = weight.filter_layout};
}

Plan plan_forward_packed(const Problem& problem, const PackedWeight& weight, const InstructionSet& instruction_set,
                         int slots) {
  Problem p = with_contiguous_weight(problem);
  if (p.algorithm == AlgorithmRequest::automatic) p.algorithm = weight.algorithm;
  return choose_forward(p, plain_variant(p), instruction_set, slots, prepared_of(weight));
}

void forward_packed(const Plan& plan, const PackedWeight& weight, const void* input, const void* bias, void* output,
                    void* workspace, const Parallel& parallel) {
  const void* packed = weight.register_tiles;
  if (plan.algorithm == Algorithm::out_lanes) packed = weight.out_lanes;
  if (plan.algorithm == Algorithm::tiles) {
    packed = plan.tiles.tiles.ahead == FiltersAhead::in_lanes ? weight.taps : weight.filters;
  }
  // What was packed ahead is only read.
  run_forward(plan, {input, weight.plain, bias, output, workspace, const_cast<void*>(packed)}, parallel);
}

}  // namespace tapconv::kernels
