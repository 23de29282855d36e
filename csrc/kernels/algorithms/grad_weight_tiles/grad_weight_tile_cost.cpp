#include "grad_weight_tile_cost.h"

#include <algorithm>
#include <cmath>

#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels {
namespace {

// One vector of tiles, forth or back.
double transform_cost(const TileTransformShape& shape) {
  return 1.3 * shape.size * std::log2(shape.size) + 6.0 * shape.size + 2.0 * shape.products;
}

}  // namespace

double grad_weight_tile_cost(const Problem& p, const GradWeightTilePlan& plan, const InstructionSet& instruction_set) {
  const TileBlocks& tiles = plan.tiles;
  const TileTransformShape& shape = shape_of(tiles.transform);
  const int64_t width = instruction_set.vector_bytes / compute_bytes(p.data_type);
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const double out_vectors = static_cast<double>(ceil_div(group_out, width));
  const double channel_blocks = static_cast<double>(ceil_div(group_in, plan.channel_block));
  const double out_blocks = static_cast<double>(ceil_div(group_out, plan.out_block));
  const double tile_count = static_cast<double>(tiles.tile_count);
  const double channels = static_cast<double>(tiles.channels);
  const double products = tile_count * shape.products * grad_weight_sweep_cost(p, tiles.channels, instruction_set);
  // Each block of tiles reads and writes the sums once more.
  const double sums = 3.0 * static_cast<double>(tiles.block_count) * shape.products * channels * out_vectors;
  const double transforms =
      transform_cost(shape) * (out_blocks * channels * static_cast<double>(tiles.block_count) *
                                   static_cast<double>(ceil_div(tiles.block_tiles, width)) +
                               1.2 * channel_blocks * out_vectors * tile_count + channels * out_vectors);
  // Copying rows, sample by sample where a stride keeps vectors from it, and transposing gradients.
  const double samples = static_cast<double>(p.batch) * static_cast<double>(p.output_length);
  const double copies = samples * (out_blocks * channels * (p.stride > 1 ? 2.0 : 4.0 / static_cast<double>(width)) +
                                   channel_blocks * out_vectors * 8.0);
  // Measured: tiles lose this much to caches beyond what is counted here.
  return 1.35 * static_cast<double>(p.groups) * (1.1 * products + sums + transforms + copies);
}

}  // namespace tapconv::kernels
