#include "tile_cost.h"

#include <algorithm>

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

// Tiles that are multiplied with filters in the lanes are swept by register tiles of a panel over a block of tiles.
int64_t tile_groups(const TilePlan& plan) {
  return ceil_div(ceil_div(plan.tiles.tile_count, plan.tiles.block_count),
                  register_tiles(plan.instruction_set->register_count).rows);
}
double panel_sweep_cost(const TilePlan& plan) {
  const double panels = static_cast<double>(plan.tile_row_count);
  const double groups = static_cast<double>(plan.tiles.block_count * tile_groups(plan));
  const double vectors = static_cast<double>(plan.problem.out_channels / plan.problem.groups / width_of(plan));
  return panels * static_cast<double>(tile_groups(plan)) *
         tile_time(static_cast<double>(plan.tiles.tile_count) / groups, vectors / panels);
}
double panel_sweep_calls(const TilePlan& plan) {
  return static_cast<double>(plan.tile_row_count * plan.channel_block_count * tile_groups(plan));
}

}  // namespace

double tile_cost(const TilePlan& plan) {
  const Problem& p = plan.problem;
  const TilePrices& price = prices_of(plan).tiles;
  const CachePrices& caches = prices_of(plan).caches;
  const TileBlocks& tiles = plan.tiles;
  const TileTransformShape& shape = shape_of(tiles.transform);
  const int64_t width = width_of(plan);
  const double transform = fourier_work(plan, shape.size);
  const double channels = static_cast<double>(tiles.channels);
  const double blocks = static_cast<double>(tiles.block_count);
  const double last_product =
      static_cast<double>(tiles.last_product_segments) / static_cast<double>(plan.rows.segment_count);
  const double sweeps = static_cast<double>(p.groups) * blocks * (shape.products - 1 + last_product);
  const int64_t block_vectors = ceil_div(ceil_div(tiles.tile_count, tiles.block_count), width);
  const double vectors = static_cast<double>(block_vectors) * blocks;

  const bool lanes = has_filter_lanes(tiles);
  const bool shared_winograd = tiles.blocking == TileBlocking::shared_tiles && !is_fourier(tiles.transform);
  const double product = is_fourier(tiles.transform) ? price.product
                         : shared_winograd           ? price.shared_winograd_product
                                                     : price.winograd_product;
  const double sweep = lanes ? panel_sweep_cost(plan) : sweep_cost(plan, block_vectors);
  const double calls = lanes ? panel_sweep_calls(plan) : sweep_calls(plan, block_vectors);
  const double products = sweeps * (product * sweep * channels + price.call * calls);
  const double inputs =
      vectors * channels * static_cast<double>(p.groups) / static_cast<double>(tiles.channels_together);
  const double output_vectors = lanes ? static_cast<double>(tiles.tile_count) / static_cast<double>(width) : vectors;
  const double outputs = output_vectors * static_cast<double>(p.out_channels);
  const double filters = channels * static_cast<double>(p.out_channels) / static_cast<double>(width);
  const double transformed = plan.packed_ahead ? 0 : shares_tiles(tiles) ? blocks : 1;  // times, of all filters
  const double filter = tiles.ahead == FiltersAhead::in_lanes ? price.lane_filter_vector : price.filter_vector;
  double cost = products + price.vector * (inputs + outputs) + filter * filters * transformed;
  if (is_fourier(tiles.transform)) {
    cost += transform * (price.input * inputs + price.output * outputs + price.filter * filters * transformed) +
            price.filter_product * shape.products * filters * transformed;
  } else {
    cost += shape.size * (price.winograd_input * inputs + price.winograd_output * outputs +
                          price.winograd_filter * filters * transformed);
  }
  if (tiles.dilation_phases > 1) {
    const double pieces = 1 + std::min<double>(width, width / static_cast<double>(tiles.dilation_phases));
    cost += pieces * (price.gather_piece * inputs * shape.size +
                      price.scatter_piece * outputs * static_cast<double>(tiles.outputs));
  }
  cost += price.input_line * lines_of(p, input_elements(p)) + price.output_line * lines_of(p, output_elements(p)) +
          price.strided_sample * strided_samples(plan);
  if (!writes_in_order(p, plan.variant)) cost += price.strided_output * output_elements(p);
  cost += prices_of(plan).rows.piece *
          static_cast<double>(p.batch * (p.in_channels * plan.rows.segment_count + p.out_channels));
  if (shares_tiles(tiles)) {
    const double block = static_cast<double>(p.groups * tiles.block_tiles) * channels * shape.products;
    const double lines = lines_of(p, block);
    if (lines * cache_line_bytes > caches.near_filter_bytes) cost += price.shared_line * lines * blocks;
  }
  const double tile_lines = lines_of(p, static_cast<double>(tiles.block_tiles) * channels * shape.products);
  const double held = static_cast<double>(tiles.channels_at_a_time) / static_cast<double>(p.in_channels / p.groups);
  if ((shares_tiles(tiles) ? 1 : held) * tile_lines * cache_line_bytes > caches.near_filter_bytes) {
    cost += (shared_winograd ? price.far_shared_winograd_line : price.far_line) * tile_lines *
            static_cast<double>(p.groups) * blocks * static_cast<double>(tiles.tile_reads);
  }
  if (lanes) {
    const double block = static_cast<double>(ceil_div(tiles.tile_count, tiles.block_count)) * shape.products;
    const double sum_lines = lines_of(p, block * plan.tile_rows);
    const double filter_lines = lines_of(p, static_cast<double>(plan.channel_block * plan.tile_rows) * shape.products);
    if ((sum_lines + filter_lines) * cache_line_bytes > caches.near_filter_bytes) {
      cost += price.far_sum_line * sum_lines * blocks *
              static_cast<double>(p.groups * plan.tile_row_count * plan.channel_block_count);
    }
  }
  const double filter_lines = lines_of(p, static_cast<double>(p.out_channels) * channels * shape.products);
  const double filter_bytes = filter_lines * cache_line_bytes;
  if (filter_bytes > caches.near_filter_bytes) {
    if (plan.packed_ahead) {
      cost += packed_line(caches, filter_lines) * filter_lines * blocks;
    } else if (!shares_tiles(tiles)) {
      cost += (filter_bytes > price.far_filter_bytes ? price.far_filter_line : price.near_filter_line) * filter_lines *
              (1 + blocks);
    }
  }
  return cost;
}

}  // namespace tapconv::kernels
