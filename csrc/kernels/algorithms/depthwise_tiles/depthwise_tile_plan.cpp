#include "depthwise_tile_plan.h"

#include <algorithm>
#include <bit>

#include "depthwise_tile_cost.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/blocking.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/numbers/filter_kinds.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t max_slot_bytes = 4 * 1024 * 1024;
constexpr int smallest_size = 32;  // two vectors of the widest instruction set
// With fewer output blocks than this for each part of the filter, a task spends its time on the filter's spectra.
constexpr int64_t min_blocks_per_part = 4;

// Cuts rows, filter and outputs into blocks of one transform. Returns false if the problem cannot be cut so.
bool cut_into_blocks(const Problem& p, const InstructionSet& instruction_set, DepthwiseTiles& cut) {
  const int64_t size = shape_of(cut.transform).size;
  if (p.batch == 0 || p.out_channels == 0 || p.output_length == 0 || p.in_channels != p.groups) return false;
  if (p.kernel_size < 2 || p.stride != 1 || p.dilation > p.output_length || size < smallest_size) return false;
  cut.filter_parts = p.kernel_size <= size / 2 ? 1 : ceil_div(p.kernel_size, size / 2);
  cut.part_taps = cut.filter_parts == 1 ? p.kernel_size : size / 2;
  cut.outputs = cut.filter_parts == 1 ? size - p.kernel_size + 1 : size / 2;
  cut.dilation_phases = p.dilation;
  cut.blocks = ceil_div(ceil_div(p.output_length, cut.dilation_phases), cut.outputs);
  cut.lane_groups = ceil_div(p.out_channels, instruction_set.vector_bytes / compute_bytes(p.data_type));
  return true;
}

// Lays out a slot that holds the spectra of `filters` blocks of the filter, of the inputs in the ring and of `sums`
// sums. Returns false if it would be too large.
bool lay_out_slot(int64_t filters, int64_t sums, bool is_grad_weight, DepthwiseTilePlan& plan) {
  DepthwiseTiles& cut = plan.depthwise;
  const int64_t size = shape_of(cut.transform).size;
  const int64_t vector_bytes = plan.instruction_set->vector_bytes;
  const int64_t width = vector_bytes / compute_bytes(plan.problem.data_type);
  const int64_t spectrum = (size + 1) * vector_bytes;  // spectrum_vectors of spectrum.h
  Workspace slot;
  cut.slot_filters_at = slot.reserve(filters * spectrum);
  cut.slot_inputs_at = slot.reserve(cut.ring * spectrum);
  cut.slot_sums_at = slot.reserve(sums * spectrum);
  cut.slot_samples_at = slot.reserve(size * vector_bytes);
  cut.slot_lanes_at = slot.reserve(size * vector_bytes);
  cut.slot_rows_at = slot.reserve((size + 2 * width) * vector_bytes);
  cut.slot_pointers_at = slot.reserve(cut.ring * static_cast<int64_t>(sizeof(void*)));
  cut.slot_peaks_at = slot.reserve(cut.ring * (size / cut.piece + 1) * vector_bytes);
  // Vectors are loaded and stored past the ends of rows that repairs work in.
  if (is_grad_weight) {
    cut.repair_row = size + 2 * width;
    cut.slot_repair_at = slot.reserve(5 * cut.repair_row * vector_bytes / width);
    cut.slot_seen_at = slot.reserve(3 * cut.filter_parts * vector_bytes);
  } else {
    // The rows are those of taps, of samples and of what is seen of them; sums follow.
    cut.repair_row = rounded_up(plan.problem.kernel_size + cut.outputs, width) + 2 * width;
    cut.slot_repair_at = slot.reserve((3 * cut.repair_row + width) * vector_bytes / width);
  }
  plan.slot_bytes = slot.end() + cache_line_bytes;
  return static_cast<int64_t>(plan.slot_bytes) <= max_slot_bytes;
}

// Returns why a problem cannot be cut into blocks.
Declined cannot_be_cut(const Problem& p) {
  if (has_no_outputs(p)) return {"there is no output"};
  if (p.in_channels != p.groups) return {"the filters are not depthwise"};
  if (p.kernel_size < 2) return {"the filters have a single tap"};
  if (p.stride != 1) return {"there is a stride"};
  return {"the dilation is longer than the output, or the transform shorter than two vectors"};
}

constexpr Declined slot_too_large = {"the spectra of a task would not fit in the cache"};

void begin_plan(const Problem& p, const InstructionSet& instruction_set, int slots, TileTransform transform,
                DepthwiseTilePlan& plan) {
  plan.problem = p;
  plan.instruction_set = &instruction_set;
  plan.slots = slots_worth(p, std::max(slots, 1));
  plan.depthwise.transform = transform;
}

template <class Plan, class PlanOne>
Answer<Plan> cheapest(const Problem& p, const PlanOne& plan_one) {
  Answer<Plan> best = Declined{"no Fourier transform is allowed"};
  for (int i = 0; i < fourier_transform_count; ++i) {
    if (!is_allowed(static_cast<TileTransform>(i), p)) continue;
    Answer<Plan> answer = plan_one(static_cast<TileTransform>(i));
    if (!best || (answer && answer->cost < best->cost)) best = std::move(answer);
  }
  return best;
}

}  // namespace

Answer<DepthwiseTilePlan> plan_depthwise_tiles(const Problem& p, const ForwardVariant& variant,
                                               const InstructionSet& instruction_set, int slots,
                                               TileTransform transform) {
  DepthwiseTilePlan plan{};
  begin_plan(p, instruction_set, slots, transform, plan);
  plan.variant = variant;
  DepthwiseTiles& cut = plan.depthwise;
  if (!writes_in_order(p, variant)) return Declined{"sums are not written in order"};
  if (!cut_into_blocks(p, instruction_set, cut)) return cannot_be_cut(p);
  cut.ring = cut.filter_parts + depthwise_tiles_together - 1;
  // Every output sees a whole piece, and with several parts a block's outputs are whole pieces.
  const int64_t seen = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>((p.kernel_size + 1) / 2)));
  cut.piece = cut.filter_parts > 1 ? std::min(seen, cut.outputs) : seen;
  if (!lay_out_slot(cut.filter_parts, depthwise_tiles_together, /*is_grad_weight=*/false, plan)) return slot_too_large;

  const int64_t wanted = plan.slots > 1 ? ceil_div(plan.slots * tasks_per_slot, cut.lane_groups) : 1;
  cut.sample_parts = std::min(p.batch, wanted);
  const int64_t max_time_parts = std::max<int64_t>(cut.blocks / (min_blocks_per_part * cut.filter_parts), 1);
  cut.time_parts = std::min(ceil_div(wanted, cut.sample_parts), max_time_parts);
  plan.task_count = cut.lane_groups * cut.sample_parts * cut.time_parts;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));

  Workspace workspace = workspace_with_counter();
  cut.kinds_at = workspace.reserve(filter_kind_bytes(p));
  lay_out_slots(workspace, plan.slot_bytes, plan);
  plan.cost = depthwise_tile_cost(plan);
  return plan;
}

Answer<DepthwiseTilePlan> plan_cheapest_depthwise_tiles(const Problem& problem, const ForwardVariant& variant,
                                                        const InstructionSet& instruction_set, int slots) {
  return cheapest<DepthwiseTilePlan>(problem, [&](TileTransform transform) {
    return plan_depthwise_tiles(problem, variant, instruction_set, slots, transform);
  });
}

Answer<GradWeightDepthwiseTilePlan> plan_grad_weight_depthwise_tiles(const Problem& p,
                                                                     const InstructionSet& instruction_set, int slots,
                                                                     TileTransform transform) {
  GradWeightDepthwiseTilePlan plan{};
  begin_plan(p, instruction_set, slots, transform, plan);
  DepthwiseTiles& cut = plan.depthwise;
  if (!cut_into_blocks(p, instruction_set, cut)) return cannot_be_cut(p);
  // Taps see as many samples of a block as it has outputs, half of a transform at the least.
  cut.piece = shape_of(transform).size / 4;
  cut.sample_parts = cut.time_parts = 1;
  cut.gradient_blocks = std::min(cut.blocks, gradient_blocks_together);
  cut.ring = cut.filter_parts + cut.gradient_blocks - 1 + depthwise_tiles_together;
  if (!lay_out_slot(cut.gradient_blocks, cut.filter_parts, /*is_grad_weight=*/true, plan)) return slot_too_large;
  plan.task_count = cut.lane_groups;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));

  Workspace workspace = workspace_with_counter();
  cut.flags_at = workspace.reserve(1);
  cut.fallback_at = workspace.end();
  lay_out_slots(workspace, plan.slot_bytes, plan);
  plan.fallback = plan_direct_grad_weight(p, instruction_set, plan.slots);
  plan.workspace_bytes = std::max(plan.workspace_bytes, cut.fallback_at + plan.fallback.workspace_bytes);
  plan.cost = depthwise_tile_cost(plan);
  return plan;
}

Answer<GradWeightDepthwiseTilePlan> plan_cheapest_grad_weight_depthwise_tiles(const Problem& problem,
                                                                              const InstructionSet& instruction_set,
                                                                              int slots) {
  return cheapest<GradWeightDepthwiseTilePlan>(problem, [&](TileTransform transform) {
    return plan_grad_weight_depthwise_tiles(problem, instruction_set, slots, transform);
  });
}

}  // namespace tapconv::kernels
