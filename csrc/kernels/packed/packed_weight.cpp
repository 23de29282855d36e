#include "packed_weight.h"

#include <algorithm>
#include <cstring>

#include "kernels/algorithms.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/direct/direct_run.h"
#include "kernels/algorithms/few_outputs/dot_plan.h"
#include "kernels/algorithms/few_outputs/few_outputs_cost.h"
#include "kernels/algorithms/few_outputs/few_outputs_run.h"
#include "kernels/algorithms/few_outputs/out_lane_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/tiles/tile_run.h"
#include "kernels/algorithms/tiles/tile_transforms.h"
#include "kernels/choose.h"
#include "kernels/core/blocking.h"
#include "kernels/core/forward_variant.h"
#include "kernels/core/instruction_set.h"
#include "kernels/overlap_save.h"
#include "kernels/plan_memory.h"
#include "packed_header.h"

namespace tapconv::kernels {
namespace {

// What a transform has to save over a smaller one.
constexpr double worth_more_memory = 0.95;
// What vectors of output channels have to save over dot products, and shared tiles over others, by estimates that are
// only so good.
constexpr double worth_other_way = 0.95;

Problem with_contiguous_weight(Problem p) {
  p.weight_strides = {p.in_channels / p.groups * p.kernel_size, p.kernel_size, 1};
  return p;
}

std::optional<TileChoice> cheaper_tiles(const Problem& p, const InstructionSet& instruction_set, int slots,
                                        const FilterLayout& layout) {
  const ForwardVariant variant = plain_variant(p);
  const auto plan = [&](TileBlocking blocking) {
    return plan_tiles(p, variant, instruction_set, slots, layout.transform, blocking, FiltersAhead::transformed);
  };
  if (layout.lanes) return plan(TileBlocking::filter_lanes);
  std::optional<TileChoice> best = plan(TileBlocking::own_tiles);
  std::optional<TileChoice> shared = plan(TileBlocking::shared_tiles);
  if (!best || (shared && shared->cost < worth_other_way * best->cost)) best = shared;
  if (!best || !shared || slots == 1 || best->plan.task_count >= 2 * slots) return best;
  // Too few blocks to keep all slots busy: the other way of blocking gives the same sums. The cost stays the one that
  // does not depend on the slots.
  if (shared->plan.task_count > best->plan.task_count) best->plan = shared->plan;
  return best;
}

bool is_forced(AlgorithmRequest algorithm) {
  return algorithm == AlgorithmRequest::fft || algorithm == AlgorithmRequest::winograd;
}

// Tiles whose filters are worth their memory, if there are any. Transformed filters are several times as large as plain
// weights: from beyond the cache, reading them can take longer than transforming anew. Then taps may be worth theirs.
std::optional<TileChoice> choose_filters(const Problem& p, const Plan& direct, const InstructionSet& instruction_set,
                                         int slots) {
  std::optional<TileChoice> best;
  int most_products = 0;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, p)) continue;
    for (const bool lanes : {false, true}) {
      const std::optional<TileChoice> choice = cheaper_tiles(p, instruction_set, slots, {transform, lanes});
      const int products = shape_of(transform).products;
      const double wanted = products > most_products ? worth_more_memory : 1;
      if (!choice || (best && choice->cost >= wanted * best->cost)) continue;
      best = choice;
      most_products = products;
    }
  }
  const std::optional<TileChoice> in_call =
      decide_tiles(p, plain_variant(p), instruction_set, slots, FiltersAhead::in_lanes);
  if (in_call && (!best || in_call->cost <= best->cost)) best = in_call;
  if (!best || best->plan.tiles.ahead == FiltersAhead::nothing) return std::nullopt;
  if (!is_forced(p.algorithm) && best->cost >= direct_cost(direct)) return std::nullopt;
  const std::optional<TileChoice> depthwise = decide_depthwise_tiles(p, plain_variant(p), instruction_set, slots);
  if (depthwise && depthwise->cost <= best->cost) return std::nullopt;
  // The layer above computes very long filters, from the plain weights.
  if (choose_overlap_save(p, Direction::forward, instruction_set)) return std::nullopt;
  return best;
}

// Of plans that take taps from the lanes.
std::optional<TileChoice> cheapest_by_taps(const Problem& p, const InstructionSet& instruction_set, int slots) {
  std::optional<TileChoice> best;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, p)) continue;
    const std::optional<TileChoice> choice = plan_tiles(p, plain_variant(p), instruction_set, slots, transform,
                                                        TileBlocking::filter_lanes, FiltersAhead::in_lanes);
    if (choice && (!best || choice->cost < best->cost)) best = choice;
  }
  return best;
}

// Vectors of output channels, where they beat `packed`.
std::optional<Plan> cheaper_out_lanes(const Plan& packed, int slots) {
  const Problem& p = packed.problem;
  // Dot products read 16-bit weights as they are, half as many bytes.
  const bool is_wide_dot = packed.algorithm == Algorithm::dot && computes_in_own_type(p.data_type);
  if (packed.algorithm != Algorithm::tap && !is_wide_dot) return std::nullopt;
  std::optional<Plan> lanes = decide_out_lanes(p, *packed.instruction_set, slots);
  if (!lanes) return std::nullopt;
  const bool cheaper = is_wide_dot ? out_lane_cost_with_weights(*lanes) < worth_other_way * dot_cost(packed)
                                   : out_lane_cost(*lanes) < direct_cost(packed);
  return cheaper ? lanes : std::nullopt;
}

}  // namespace

WeightPacking plan_weight_packing(const Problem& typical, const InstructionSet& instruction_set, int slots,
                                  std::optional<FilterLayout> filters, bool taps_in_lanes) {
  const Problem p = with_contiguous_weight(typical);
  WeightPacking packing{};
  packing.header = lay_out(p, instruction_set);
  packing.direct =
      decide_best_direct(p, plain_variant(p), instruction_set, slots, packing.header.register_tiles_at > 0);
  packing.workspace_bytes = cache_line_bytes;
  const bool automatic = !filters && !taps_in_lanes;
  if (automatic && p.algorithm == AlgorithmRequest::automatic) {
    const std::optional<Plan> lanes = decide_out_lanes(p, instruction_set, slots);
    if (lanes && out_lane_cost(*lanes) < direct_cost(packing.direct)) {
      packing.out_lanes = *lanes;
      lay_out_lanes(p, instruction_set, packing.header);
      return packing;
    }
  }
  const std::optional<TileChoice> best = filters         ? cheaper_tiles(p, instruction_set, slots, *filters)
                                         : taps_in_lanes ? cheapest_by_taps(p, instruction_set, slots)
                                                         : choose_filters(p, packing.direct, instruction_set, slots);
  if (!best) return packing;
  const TileBlocks& tiles = best->plan.tiles;
  if (tiles.ahead == FiltersAhead::in_lanes
          ? lay_out_taps(p, instruction_set, packing.header)
          : lay_out_filters(p, instruction_set, {tiles.transform, has_filter_lanes(tiles)}, packing.header)) {
    packing.tiles = best->plan;
    packing.workspace_bytes = best->plan.workspace_bytes;
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

namespace {

Plan plan_anew(const Problem& p, const PackedWeight& weight, const InstructionSet& instruction_set, int slots) {
  const ForwardVariant variant = plain_variant(p);
  const bool forced = is_forced(p.algorithm);
  const bool by_taps = weight.taps != nullptr && p.algorithm != AlgorithmRequest::direct;
  const bool by_filters = weight.filter_layout && is_allowed(weight.filter_layout->transform, p);
  if (!by_taps && !by_filters) {
    const Plan packed = decide_forward(p, variant, instruction_set, slots, weight.register_tiles != nullptr);
    if (weight.out_lanes == nullptr || p.algorithm != AlgorithmRequest::automatic) return packed;
    return cheaper_out_lanes(packed, slots).value_or(packed);
  }
  if (!forced) {
    if (const std::optional<Plan> plan = decide_short(p, variant, instruction_set, slots)) return *plan;
  }
  const Plan direct = decide_best_direct(p, variant, instruction_set, slots, weight.register_tiles != nullptr);
  if (direct.algorithm == Algorithm::empty) return direct;
  const std::optional<TileChoice> tiles =
      by_filters ? cheaper_tiles(p, instruction_set, slots, *weight.filter_layout)
                 : decide_tiles(p, variant, instruction_set, slots, FiltersAhead::in_lanes);
  if (!tiles && forced) return decide_forward(p, variant, instruction_set, slots);
  return tiles && (forced || tiles->cost < direct_cost(direct)) ? tiles->plan : direct;
}

}  // namespace

Plan plan_forward_packed(const Problem& problem, const PackedWeight& weight, const InstructionSet& instruction_set,
                         int slots) {
  Problem p = with_contiguous_weight(problem);
  if (p.algorithm == AlgorithmRequest::automatic) p.algorithm = weight.algorithm;
  // What there is of a packed weight decides, with the layout of its filters.
  uint32_t has = (weight.register_tiles != nullptr ? 1u : 0u) + (weight.out_lanes != nullptr ? 2u : 0u) +
                 (weight.taps != nullptr ? 4u : 0u);
  if (const std::optional<FilterLayout>& layout = weight.filter_layout) {
    has += (layout->lanes ? 8u : 0u) + 16u * (1u + static_cast<uint32_t>(layout->transform));
  }
  return remembered({p, {}, &instruction_set, slots, asked_packed + (has << question_bits)},
                    [&] { return plan_anew(p, weight, instruction_set, slots); });
}

void forward_packed(const Plan& plan, const PackedWeight& weight, const void* input, const void* bias, void* output,
                    void* workspace, const Parallel& parallel) {
  const bool by_taps = plan.tiles.ahead == FiltersAhead::in_lanes;
  const void* const packed = plan.algorithm == Algorithm::tiles       ? by_taps ? weight.taps : weight.filters
                             : plan.algorithm == Algorithm::out_lanes ? weight.out_lanes
                                                                      : weight.register_tiles;
  // Packed ahead, it is only read.
  run_forward(plan, {input, weight.plain, bias, output, workspace, const_cast<void*>(packed)}, parallel);
}

}  // namespace tapconv::kernels
