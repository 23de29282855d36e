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
double transform_cost(const GradWeightTilePrices& price, const TileTransformShape& shape) {
  return price.transform * shape.size * std::log2(shape.size) + price.transform_sample * shape.size +
         price.transform_product * shape.products;
}

}  // namespace

double grad_weight_tile_cost(const Problem& p, const GradWeightTilePlan& plan, const InstructionSet& instruction_set) {
  const GradWeightTilePrices& price = instruction_set.prices->grad_weight_tiles;
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
  const double sums = price.sum * static_cast<double>(tiles.block_count) * shape.products * channels * out_vectors;
  const double transforms =
      transform_cost(price, shape) *
      (out_blocks * channels * static_cast<double>(tiles.block_count) *
           static_cast<double>(ceil_div(tiles.block_tiles, width)) +
       price.gradient_transform * channel_blocks * out_vectors * tile_count + channels * out_vectors);
  // Copying rows, sample by sample where a stride keeps vectors from it, and transposing gradients.
  const double samples = static_cast<double>(p.batch) * static_cast<double>(p.output_length);
  const double copies =
      samples * (out_blocks * channels *
                     (p.stride > 1 ? price.strided_sample : price.copied_vector / static_cast<double>(width)) +
                 channel_blocks * out_vectors * price.gradient);
  return price.beyond_caches * static_cast<double>(p.groups) * (price.product * products + sums + transforms + copies);
}

}  // namespace tapconv::kernels
