#include "grad_weight_tile_plan.h"

#include "grad_weight_tile_cost.h"
#include "kernels/algorithms/tiles/tile_cut.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

// Input tiles, gradient tiles and sums of a task take this at the most, for all products. They stream through L2 one
// product after the other.
constexpr int64_t max_task_bytes = 3 * 1024 * 1024;
constexpr int64_t max_row_bytes = 512 * 1024;
constexpr int64_t candidate_channels[] = {64, 32, 16, 8};
constexpr int64_t candidate_tiles[] = {64, 32, 16};

void lay_out_workspace(GradWeightTilePlan& plan) {
  const Problem& p = plan.problem;
  TileBlocks& tiles = plan.tiles;
  GradWeightBlocks& blocks = plan.grad_weight;
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = plan.instruction_set->vector_bytes / element;

  const int64_t line = cache_line_bytes / element;
  const int64_t size = shape_of(tiles.transform).size;
  const int64_t products = shape_of(tiles.transform).products;
  const int64_t channels = plan.channel_block * plan.rows.segment_count;
  tiles.input_plane = plane_of(channels * tiles.block_tiles, line);
  tiles.weight_plane = plane_of(tiles.block_tiles * blocks.out_lanes, line);
  tiles.output_plane = plane_of(channels * blocks.out_lanes, line);

  Workspace workspace = workspace_with_counter();
  tiles.flags_at = workspace.reserve(1);
  tiles.fallback_at = workspace.end();
  plan.offset_table_at = workspace.reserve(channels * 4);
  reserve_grad_weight_parts(plan, workspace);
  Workspace slot;
  const auto reserve = [&](int64_t elements) { return slot.reserve(elements * element); };
  tiles.slot_inputs_at = reserve(products * tiles.input_plane);
  blocks.slot_gradient_at = reserve(products * tiles.weight_plane);
  tiles.slot_outputs_at = reserve(products * tiles.output_plane);
  blocks.slot_sums_at = reserve(plan.channel_block * p.kernel_size * blocks.out_lanes);
  blocks.slot_bias_at = reserve(blocks.out_lanes);
  tiles.slot_samples_at = reserve((std::max(size, width) + 1) * width);
  const int64_t row = block_row_elements(p, tiles, tiles.block_tiles);
  tiles.slot_rows_at = reserve(row * width + 2 * width);
  tiles.slot_peaks_at = reserve(std::max(row, size) + 2 * width);
  blocks.slot_repaired_at = reserve(plan.channel_block * p.kernel_size * blocks.out_lanes);
  blocks.slot_left_out_at = slot.reserve(rounded_up(channels * tiles.block_tiles, element));
  lay_out_slots(workspace, slot.end() + cache_line_bytes, plan);
  plan.fallback = plan_direct_grad_weight(p, *plan.instruction_set, plan.slots);
  plan.workspace_bytes = std::max(plan.workspace_bytes, tiles.fallback_at + plan.fallback.workspace_bytes);
}

// Returns the cheapest transform and blocks. The plan has its tiles, rows and blocks of channels, and nothing else.
Answer<GradWeightTilePlan> cheapest_blocks(const Problem& p, const InstructionSet& instruction_set) {
  Answer<GradWeightTilePlan> best =
      Declined{"no Fourier transform is allowed, or takes so many taps in blocks that fit in the cache"};
  const GradWeightTiles& register_tiles = grad_weight_tiles(instruction_set.register_count);
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t panel = register_tiles.columns * width;
  for (int i = 0; i < fourier_transform_count; ++i) {
    if (!is_allowed(static_cast<TileTransform>(i), p)) continue;
    const TileTransformShape& shape = tile_transform_shapes[i];
    GradWeightTilePlan plan{};
    plan.tiles.transform = static_cast<TileTransform>(i);
    if (!cut_into_tiles(p, shape, plan.rows, plan.tiles)) continue;
    for (const int64_t channels : candidate_channels) {
      for (const int64_t max_tiles : candidate_tiles) {
        plan.channel_block = even_block(group_in, std::clamp<int64_t>(channels / plan.rows.segment_count, 1, group_in));
        plan.out_block = group_out <= panel ? group_out : panel;
        const int64_t lanes = rounded_up(plan.out_block, width);
        TileBlocks& tiles = plan.tiles;
        tiles.block_tiles =
            std::min(rounded_up(even_block(tiles.tile_count, max_tiles), width), rounded_up(tiles.tile_count, width));
        tiles.block_count = ceil_div(tiles.tile_count, tiles.block_tiles);
        const int64_t block_channels = plan.channel_block * plan.rows.segment_count;
        const int64_t elements =
            block_channels * tiles.block_tiles + tiles.block_tiles * lanes + block_channels * lanes;
        if (shape.products * elements * element > max_task_bytes) continue;
        if (block_row_elements(p, tiles, tiles.block_tiles) * width * element > max_row_bytes) continue;
        plan.cost = grad_weight_tile_cost(p, plan, instruction_set);
        if (!best || plan.cost < best->cost) best = plan;
      }
    }
  }
  return best;
}

}  // namespace

Answer<GradWeightTilePlan> plan_grad_weight_tiles(const Problem& problem, const InstructionSet& instruction_set,
                                                  int slots) {
  if (problem.algorithm == AlgorithmRequest::automatic && operations_of(problem) < min_operations_of_tiles) {
    return Declined{"there is too little work for transforms"};
  }
  Answer<GradWeightTilePlan> answer = cheapest_blocks(problem, instruction_set);
  if (!answer) return answer;
  GradWeightTilePlan& plan = *answer;
  plan.problem = problem;
  plan.instruction_set = &instruction_set;
  plan.slots = slots_worth(problem, std::max(slots, 1));
  plan.grad_weight.channel_lanes = true;
  plan.grad_weight.steps = plan.tiles.block_count;
  divide_grad_weight(plan);
  lay_out_workspace(plan);
  return answer;
}

}  // namespace tapconv::kernels
