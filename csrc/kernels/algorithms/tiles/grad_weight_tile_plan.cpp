#include "grad_weight_tile_plan.h"

#include "grad_weight_tile_cost.h"
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

}  // namespace tapconv::kernels
