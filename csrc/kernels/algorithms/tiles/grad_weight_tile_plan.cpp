#include "grad_weight_tile_plan.h"

#include "grad_weight_tile_cost.h"
#include "kernels/algorithms/grad_weight/grad_weight_plan.h"
#include "kernels/core/instruction_set.h"
#include "kernels/core/register_tiles.h"
#include "tile_cut.h"

namespace tapconv::kernels {
namespace {

// Input tiles, gradient tiles and sums of a task, all products. They stream through L2 one product after the other.
constexpr int64_t most_task_bytes = 3 * 1024 * 1024;
constexpr int64_t most_row_bytes = 512 * 1024;
constexpr int64_t candidate_channels[] = {64, 32, 16, 8};
constexpr int64_t candidate_tiles[] = {64, 32, 16};

void lay_out_workspace(Plan& plan) {
  const Problem& p = plan.problem;
  TileBlocks& tiles = plan.tiles;
  GradWeightBlocks& blocks = plan.grad_weight;
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = plan.instruction_set->vector_bytes / element;

  const int64_t line = cache_line_bytes / element;
  const int64_t products = shape_of(tiles.transform).products;
  const int64_t channels = plan.channel_block * plan.rows.segment_count;
  // Planes are an odd number of cache lines apart, so that they spread over all cache sets.
  const auto plane = [line](int64_t elements) { return (divide_up(elements, line) | 1) * line; };
  tiles.input_plane = plane(channels * tiles.block_tiles);
  tiles.weight_plane = plane(tiles.block_tiles * blocks.out_lanes);
  tiles.output_plane = plane(channels * blocks.out_lanes);

  size_t at = cache_line_bytes;  // the task counter comes first
  tiles.flags_at = at;
  at += cache_line_bytes;
  tiles.fallback_at = at;
  plan.offset_table_at = at;
  at += aligned_bytes(channels * 4);
  reserve_grad_weight_parts(plan, at);
  plan.slots_at = at;
  size_t within = 0;
  const auto reserve = [&](size_t& offset, int64_t elements) {
    offset = within;
    within += aligned_bytes(elements * element);
  };
  reserve(tiles.slot_inputs_at, products * tiles.input_plane);
  reserve(blocks.slot_gradient_at, products * tiles.weight_plane);
  reserve(tiles.slot_outputs_at, products * tiles.output_plane);
  reserve(blocks.slot_sums_at, plan.channel_block * p.kernel_size * blocks.out_lanes);
  reserve(blocks.slot_bias_at, blocks.out_lanes);
  reserve(tiles.slot_samples_at, (std::max<int64_t>(shape_of(tiles.transform).size, width) + 1) * width);
  const int64_t row = block_row_elements(p, tiles, tiles.block_tiles);
  reserve(tiles.slot_rows_at, row * width + 2 * width);
  reserve(tiles.slot_peaks_at, std::max<int64_t>(row, shape_of(tiles.transform).size) + 2 * width);
  reserve(blocks.slot_repaired_at, plan.channel_block * p.kernel_size * blocks.out_lanes);
  reserve(blocks.slot_left_out_at, divide_up(channels * tiles.block_tiles, element));
  plan.slot_bytes = within + cache_line_bytes;
  plan.workspace_bytes = at + static_cast<size_t>(plan.slots) * plan.slot_bytes;
  const Plan direct = decide_grad_weight_without_tiles(p, *plan.instruction_set, plan.slots);
  plan.workspace_bytes = std::max(plan.workspace_bytes, tiles.fallback_at + direct.workspace_bytes);
}

}  // namespace

std::optional<GradWeightTileChoice> decide_grad_weight_tiles(const Problem& p, const InstructionSet& instruction_set) {
  std::optional<GradWeightTileChoice> best;
  if (p.algorithm == AlgorithmRequest::automatic && operations_of(p) < least_operations_of_tiles) return best;
  const GradWeightTiles& register_tiles = grad_weight_tiles(instruction_set.register_count);
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t panel = register_tiles.columns * width;
  for (int i = 0; i < fourier_transform_count; ++i) {
    if (!is_allowed(static_cast<TileTransform>(i), p)) continue;
    const TileTransformShape& shape = tile_transform_shapes[i];
    Plan plan{};
    plan.tiles.transform = static_cast<TileTransform>(i);
    if (!cut_into_tiles(p, shape, plan.rows, plan.tiles)) continue;
    for (const int64_t channels : candidate_channels) {
      for (const int64_t most_tiles : candidate_tiles) {
        plan.channel_block = even_block(group_in, std::clamp<int64_t>(channels / plan.rows.segment_count, 1, group_in));
        plan.out_block = group_out <= panel ? group_out : panel;
        const int64_t lanes = rounded_up(plan.out_block, width);
        TileBlocks& tiles = plan.tiles;
        tiles.block_tiles =
            std::min(rounded_up(even_block(tiles.tile_count, most_tiles), width), rounded_up(tiles.tile_count, width));
        tiles.block_count = divide_up(tiles.tile_count, tiles.block_tiles);
        const int64_t block_channels = plan.channel_block * plan.rows.segment_count;
        const int64_t elements =
            block_channels * tiles.block_tiles + tiles.block_tiles * lanes + block_channels * lanes;
        if (shape.products * elements * element > most_task_bytes) continue;
        if (block_row_elements(p, tiles, tiles.block_tiles) * width * element > most_row_bytes) continue;
        const double cost = grad_weight_tile_cost(p, plan, instruction_set);
        if (!best || cost < best->cost) best = GradWeightTileChoice{plan, cost};
      }
    }
  }
  return best;
}

Plan plan_grad_weight_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots,
                            const GradWeightTileChoice& choice) {
  Plan plan{};
  plan.problem = problem;
  plan.instruction_set = &instruction_set;
  plan.algorithm = Algorithm::grad_weight_tiles;
  plan.slots = slots_worth(problem, std::max(slots, 1));
  plan.tiles = choice.plan.tiles;
  plan.rows = choice.plan.rows;
  plan.channel_block = choice.plan.channel_block;
  plan.out_block = choice.plan.out_block;
  plan.grad_weight.channel_lanes = true;
  plan.grad_weight.steps = plan.tiles.block_count;
  divide_grad_weight(plan);
  lay_out_workspace(plan);
  return plan;
}

}  // namespace tapconv::kernels
