#include "cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "blocking.h"
#include "instruction_set.h"
#include "register_tiles.h"
#include "tile_transforms.h"

namespace tapconv::kernels {
namespace {

int64_t width_of(const Plan& plan) {
  return plan.instruction_set->vector_bytes / compute_bytes(plan.problem.data_type);
}

// Sweeping all register tiles of a group over `vectors` of times or tiles, for one (channel, tap) pair.
double sweep_cost(const Plan& plan, int64_t vectors) {
  if (plan.short_tile_pairs > 0) {
    return 2.0 * static_cast<double>(plan.tile_row_count * plan.tile_rows) / plan.short_tile_pairs;
  }
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  const int64_t column_tiles = divide_up(vectors, tiles.columns[plan.tile_rows]);
  const int64_t wide = vectors % column_tiles;
  const int64_t columns = vectors / column_tiles;
  return static_cast<double>(plan.tile_row_count) *
         (static_cast<double>(wide) * tile_time(plan.tile_rows, static_cast<double>(columns + 1)) +
          static_cast<double>(column_tiles - wide) * tile_time(plan.tile_rows, static_cast<double>(columns)));
}

// How often a register tile is called for a group, and so loads and stores its sums.
double sweep_calls(const Plan& plan, int64_t vectors) {
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  return static_cast<double>(plan.tile_row_count) * static_cast<double>(plan.channel_block_count) *
         static_cast<double>(divide_up(vectors, tiles.columns[plan.tile_rows]));
}

// The same of tiles that are multiplied with filters in the lanes: register tiles of a panel over a block of tiles.
int64_t tile_groups(const Plan& plan) {
  return divide_up(divide_up(plan.tiles.tile_count, plan.tiles.block_count),
                   register_tiles(plan.instruction_set->register_count).rows);
}
double panel_sweep_cost(const Plan& plan) {
  const double panels = static_cast<double>(plan.tile_row_count);
  const double groups = static_cast<double>(plan.tiles.block_count * tile_groups(plan));
  const double vectors = static_cast<double>(plan.problem.out_channels / plan.problem.groups / width_of(plan));
  return panels * static_cast<double>(tile_groups(plan)) *
         tile_time(static_cast<double>(plan.tiles.tile_count) / groups, vectors / panels);
}
double panel_sweep_calls(const Plan& plan) {
  return static_cast<double>(plan.tile_row_count * plan.channel_block_count * tile_groups(plan));
}

// Cache lines of inputs and outputs.
double lines_of(const Problem& p, double elements) {
  return elements * static_cast<double>(compute_bytes(p.data_type)) / static_cast<double>(cache_line_bytes);
}
double input_elements(const Problem& p) {
  return static_cast<double>(p.batch) * static_cast<double>(p.in_channels) * static_cast<double>(p.input_length);
}
double output_elements(const Problem& p) {
  return static_cast<double>(p.batch) * static_cast<double>(p.out_channels) * static_cast<double>(p.output_length);
}

// Samples copied one by one, since a stride lies between them.
double strided_samples(const Plan& plan) {
  const Problem& p = plan.problem;
  if (p.stride == 1) return 0;
  return static_cast<double>(p.batch) * static_cast<double>(p.in_channels) * static_cast<double>(p.output_length) *
         static_cast<double>(plan.rows.segment_count);
}

// The factors below were fitted to some 210 layers, on AVX-512 and AVX2, a quarter of them published models' and the
// rest drawn at random, so that the cheapest way by the estimates is the fastest one measured or close to it. Half of
// the estimates lie within 12 % of the measurement and nine in ten within 32 %.
constexpr double direct_call = 55;
constexpr double direct_input_line = 11;
constexpr double direct_partial_line = 28;      // of sums that are not written straight into the output
constexpr double direct_partial_row_line = 10;  // the same for a single output channel, whose sums stay at hand
constexpr double direct_strided_sample = 2;
constexpr double direct_weight = 0.25;
// A segment of one sample and channel, however short.
constexpr double row_piece = 22;
constexpr double folded_vector = 3;  // the same where rows are folded by vectors

constexpr double tile_product = 1.03;
constexpr double winograd_product = 1.1;
constexpr double shared_winograd_product = 1.03;
constexpr double tile_call = 45;
// By size * log2(size) of a Fourier transform.
constexpr double tile_input = 1.6;
constexpr double tile_output = 2.8;
constexpr double tile_filter = 3.2;
// Of a transform whose samples and spectrum outgrow the first-level cache.
constexpr double large_transform = 1.15;
constexpr int64_t near_transform_bytes = 32 * 1024;
// By size of a Winograd transform.
constexpr double winograd_input = 12;
constexpr double winograd_output = 2.5;
constexpr double winograd_filter = 10;
// A vector of tiles or of filters whatever its size: calls, prefetches, the ends of copies; and a product of a filter,
// which goes to a place of its own.
constexpr double tile_vector = 11;
constexpr double filter_vector = 50;
constexpr double lane_filter_vector = 15;  // whose taps were brought into the lanes before the call
constexpr double filter_product = 0.8;
// By sample of a vector and by piece that it is put together from.
constexpr double tile_gather_piece = 1.2;
constexpr double tile_scatter_piece = 0.4;
constexpr double tile_input_line = 17;
constexpr double tile_output_line = 32;
constexpr double tile_strided_sample = 2;
constexpr double tile_strided_output = 2;  // put in order, then written one by one
// A cache line of transformed tiles that are shared, beyond the second-level cache.
constexpr double shared_tile_line = 5;
// Of tiles of any block beyond it, for each time that they are read.
constexpr double far_tile_line = 3.5;
constexpr double far_shared_winograd_line = 1;  // prefetched
// Of sums with filters in the lanes beyond it, for each block of input channels that they are added to.
constexpr double far_sum_line = 6;
// A cache line of filters that were transformed ahead, for each time that it is written or read: beyond the
// second-level cache, and beyond what one core may expect of the third.
constexpr double near_filter_line = 1.8;
constexpr double far_filter_line = 12;
constexpr double near_filter_bytes = 1.2e6;
constexpr double far_filter_bytes = 8e6;
// The same for filters that were transformed before the call, which are read in their order and never written.
constexpr double near_packed_line = 10;
constexpr double far_packed_line = 20;
constexpr double far_packed_bytes = 16e6;

// size * log2(size) of a Fourier transform, as far as it can be had from the first-level cache.
double fourier_work(const Plan& plan, int size) {
  const bool is_large = 2 * size * plan.instruction_set->vector_bytes > near_transform_bytes;
  return (is_large ? large_transform : 1) * size * std::log2(size);
}

// Reading a cache line of so many that were packed or transformed ahead.
double packed_line(double lines) {
  const double bytes = lines * cache_line_bytes;
  return bytes > far_packed_bytes ? far_packed_line : bytes > near_filter_bytes ? near_packed_line : 0;
}

// A handful of outputs takes as long as reading the weights, a cache line of them from anywhere beyond the first level.
// By vector of weights: a dot product, times the line and its columns; an output of a tile whose lanes are channels.
// Fitted to 125 layers on AVX-512 and 80 on AVX2, where the cheaper one is slower than the other by 10 % at the most.
constexpr double weight_line = 6;
constexpr double dot_weight = 0.7;
constexpr double dot_far_weight = 0.25;
constexpr double far_weight_bytes = 8e6;
constexpr double near_column_bytes = 40e3;
constexpr double out_lane_time = 0.35;
constexpr double out_lane_call = 8000;

// By size * log2(size), with the copies to and from lanes; more for wide vectors, of which fewer stay in the
// first-level cache; and by size.
constexpr double depthwise_transform = 2.3;
constexpr double depthwise_transform_byte = 0.025;
constexpr double depthwise_product = 3.2;
constexpr double depthwise_dilated_sample = 0.6;
constexpr double depthwise_narrow_line = 25;  // of outputs that are narrowed, and as many inputs widened

// The direct sum by matrix products (algorithms/matrix_sum.h): a step of a tile of output channels and times; 16 lanes
// of a row, paired or transposed; 16 sums brought to their place; and a weight packed.
constexpr double matrix_step = 24;
constexpr double matrix_call = 60;
constexpr double matrix_row = 8;
constexpr double matrix_transposed_row = 12;
constexpr double matrix_output = 20;
constexpr double matrix_weight = 1;

double copied_rows_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const double pieces = static_cast<double>(p.batch * p.in_channels * plan.rows.segment_count);
  return pieces * (plan.folded && folds_by_vectors(p, width_of(plan)) ? folded_vector : row_piece);
}

double matrix_cost(const Plan& plan) {
  constexpr double tile = 16;
  constexpr double least_rows = 8;  // fewer output channels take no less
  const Problem& p = plan.problem;
  const MatrixSteps& matrix = plan.matrix;
  const int64_t samples = plan.folded ? p.batch : 1;
  const double time_tiles = std::ceil(static_cast<double>(samples * p.output_length) / tile);
  const double sweeps = static_cast<double>(p.batch / samples * p.groups) * time_tiles;
  const double outs = static_cast<double>(plan.tile_row_count);
  const double calls = std::ceil(static_cast<double>(matrix.steps) / static_cast<double>(matrix.steps_at_a_time));
  const double segments = matrix.rows_of_taps ? 1 : static_cast<double>(plan.rows.segment_count);
  return sweeps * (outs * (matrix_step * static_cast<double>(matrix.steps) *
                               std::max(plan.tile_rows / tile, least_rows / tile) +
                           matrix_call * calls + matrix_output * plan.tile_rows) +
                   (matrix.transposes_taps ? matrix_transposed_row : matrix_row) * static_cast<double>(matrix.rows) *
                       segments) +
         (matrix.transposes_taps ? 0 : copied_rows_cost(plan) + direct_strided_sample * strided_samples(plan)) +
         direct_input_line * lines_of(p, input_elements(p)) / 2 +
         (plan.packed_ahead ? 0
                            : matrix_weight * static_cast<double>(p.out_channels) *
                                  static_cast<double>(p.in_channels / p.groups * p.kernel_size));
}

}  // namespace

double direct_cost(const Plan& plan) {
  if (plan.matrix.used) return matrix_cost(plan);
  const Problem& p = plan.problem;
  const double group_in = static_cast<double>(divide_up(p.in_channels / p.groups, plan.row_channels));
  const double taps = static_cast<double>(p.kernel_size);
  const int64_t samples = plan.folded ? p.batch : 1;  // of a row
  const int64_t vectors = divide_up(samples * p.output_length, width_of(plan));
  const double sweeps = static_cast<double>(p.batch / samples * p.groups);
  const double partial_line = p.out_channels > p.groups ? direct_partial_line : direct_partial_row_line;
  return copied_rows_cost(plan) +
         sweeps * (sweep_cost(plan, vectors) * group_in * taps + direct_call * sweep_calls(plan, vectors)) +
         direct_input_line * lines_of(p, input_elements(p)) + direct_strided_sample * strided_samples(plan) +
         (plan.direct_output ? 0 : partial_line * lines_of(p, output_elements(p))) +
         (plan.pack_weight && !plan.packed_ahead ? direct_weight * static_cast<double>(p.out_channels) * group_in * taps
                                                 : 0);
}

double out_lane_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  const int64_t vectors = divide_up(p.out_channels / p.groups, width_of(plan));
  const int64_t column_tiles = divide_up(vectors, tiles.columns[plan.tile_rows]);
  const double columns = static_cast<double>(vectors) / static_cast<double>(column_tiles);
  const double step = std::max(plan.tile_rows * columns, plan.tile_rows + columns);
  const double pairs = static_cast<double>(p.in_channels / p.groups) * static_cast<double>(p.kernel_size);
  // Every sample after the first reads all weights once more; the direct sum may fold samples, and reads them once.
  const double weight_lines = lines_of(p, static_cast<double>(p.out_channels) * pairs);
  return copied_rows_cost(plan) +
         static_cast<double>(p.batch * p.groups) * static_cast<double>(column_tiles * plan.tile_row_count) *
             (step * pairs + direct_call * static_cast<double>(plan.channel_block_count)) +
         direct_input_line * lines_of(p, input_elements(p)) + direct_strided_sample * strided_samples(plan) +
         static_cast<double>(p.batch - 1) * packed_line(weight_lines) * weight_lines;
}

double dot_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const double vector_bytes = static_cast<double>(plan.instruction_set->vector_bytes);
  const double length = static_cast<double>(p.in_channels / p.groups * p.kernel_size);
  const double vectors = lines_of(p, static_cast<double>(p.out_channels) * length) * cache_line_bytes / vector_bytes;
  const double line = weight_line * vector_bytes / cache_line_bytes;
  const double rows = dot_rows(plan.instruction_set->register_count);
  double cost = lines_of(p, static_cast<double>(p.out_channels) * length) * cache_line_bytes > far_weight_bytes
                    ? dot_far_weight * line * vectors
                    : 0;
  for (int64_t left = p.batch * p.output_length; left > 0; left -= dot_columns) {
    const double columns = static_cast<double>(std::min<int64_t>(left, dot_columns));
    // Columns that outgrow the first-level cache are read again for every few rows.
    const double column_bytes = columns * length * static_cast<double>(compute_bytes(p.data_type));
    const double beyond = std::clamp((column_bytes - near_column_bytes) / near_column_bytes, 0.0, 1.0);
    cost += vectors * (dot_weight * (line + columns) + beyond * line * columns / rows);
  }
  return cost;
}

double out_lane_cost_with_weights(const Plan& plan) {
  const Problem& p = plan.problem;
  const double vector_bytes = static_cast<double>(plan.instruction_set->vector_bytes);
  const double weights = static_cast<double>(p.out_channels) * static_cast<double>(p.in_channels / p.groups) *
                         static_cast<double>(p.kernel_size);
  const double vectors = lines_of(p, weights) * cache_line_bytes / vector_bytes;
  const double line = weight_line * vector_bytes / cache_line_bytes;
  const double tiles = static_cast<double>(p.batch * plan.tile_row_count);
  return out_lane_call + copied_rows_cost(plan) + tiles * vectors * (line + out_lane_time * plan.tile_rows);
}

double tile_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const TileBlocks& tiles = plan.tiles;
  const TileTransformShape& shape = shape_of(tiles.transform);
  const int64_t width = width_of(plan);
  const double transform = fourier_work(plan, shape.size);
  const double channels = static_cast<double>(tiles.channels);
  const double blocks = static_cast<double>(tiles.block_count);
  const double last_product =
      static_cast<double>(tiles.last_product_segments) / static_cast<double>(plan.rows.segment_count);
  const double sweeps = static_cast<double>(p.groups) * blocks * (shape.products - 1 + last_product);
  const int64_t block_vectors = divide_up(divide_up(tiles.tile_count, tiles.block_count), width);
  const double vectors = static_cast<double>(block_vectors) * blocks;

  const bool lanes = has_filter_lanes(tiles);
  const bool shared_winograd = tiles.blocking == TileBlocking::shared_tiles && !is_fourier(tiles.transform);
  const double product = is_fourier(tiles.transform) ? tile_product
                         : shared_winograd           ? shared_winograd_product
                                                     : winograd_product;
  const double sweep = lanes ? panel_sweep_cost(plan) : sweep_cost(plan, block_vectors);
  const double calls = lanes ? panel_sweep_calls(plan) : sweep_calls(plan, block_vectors);
  const double products = sweeps * (product * sweep * channels + tile_call * calls);
  const double inputs =
      vectors * channels * static_cast<double>(p.groups) / static_cast<double>(tiles.channels_together);
  const double output_vectors = lanes ? static_cast<double>(tiles.tile_count) / static_cast<double>(width) : vectors;
  const double outputs = output_vectors * static_cast<double>(p.out_channels);
  const double filters = channels * static_cast<double>(p.out_channels) / static_cast<double>(width);
  const double transformed = plan.packed_ahead ? 0 : shares_tiles(tiles) ? blocks : 1;  // times, of all filters
  const double filter = tiles.ahead == FiltersAhead::in_lanes ? lane_filter_vector : filter_vector;
  double cost = products + tile_vector * (inputs + outputs) + filter * filters * transformed;
  if (is_fourier(tiles.transform)) {
    cost += transform * (tile_input * inputs + tile_output * outputs + tile_filter * filters * transformed) +
            filter_product * shape.products * filters * transformed;
  } else {
    cost +=
        shape.size * (winograd_input * inputs + winograd_output * outputs + winograd_filter * filters * transformed);
  }
  if (tiles.phases > 1) {
    const double pieces = 1 + std::min<double>(width, width / static_cast<double>(tiles.phases));
    cost += pieces * (tile_gather_piece * inputs * shape.size +
                      tile_scatter_piece * outputs * static_cast<double>(tiles.outputs));
  }
  cost += tile_input_line * lines_of(p, input_elements(p)) + tile_output_line * lines_of(p, output_elements(p)) +
          tile_strided_sample * strided_samples(plan);
  if (!writes_in_order(p, plan.variant)) cost += tile_strided_output * output_elements(p);
  cost += row_piece * static_cast<double>(p.batch * (p.in_channels * plan.rows.segment_count + p.out_channels));
  if (shares_tiles(tiles)) {
    const double block = static_cast<double>(p.groups * tiles.block_tiles) * channels * shape.products;
    const double lines = lines_of(p, block);
    if (lines * cache_line_bytes > near_filter_bytes) cost += shared_tile_line * lines * blocks;
  }
  const double tile_lines = lines_of(p, static_cast<double>(tiles.block_tiles) * channels * shape.products);
  const double held = static_cast<double>(tiles.channels_at_a_time) / static_cast<double>(p.in_channels / p.groups);
  if ((shares_tiles(tiles) ? 1 : held) * tile_lines * cache_line_bytes > near_filter_bytes) {
    cost += (shared_winograd ? far_shared_winograd_line : far_tile_line) * tile_lines * static_cast<double>(p.groups) *
            blocks * static_cast<double>(tiles.tile_reads);
  }
  if (lanes) {
    const double block = static_cast<double>(divide_up(tiles.tile_count, tiles.block_count)) * shape.products;
    const double sum_lines = lines_of(p, block * plan.tile_rows);
    const double filter_lines = lines_of(p, static_cast<double>(plan.channel_block * plan.tile_rows) * shape.products);
    if ((sum_lines + filter_lines) * cache_line_bytes > near_filter_bytes) {
      cost += far_sum_line * sum_lines * blocks *
              static_cast<double>(p.groups * plan.tile_row_count * plan.channel_block_count);
    }
  }
  const double filter_lines = lines_of(p, static_cast<double>(p.out_channels) * channels * shape.products);
  const double filter_bytes = filter_lines * cache_line_bytes;
  if (filter_bytes > near_filter_bytes) {
    if (plan.packed_ahead) {
      cost += packed_line(filter_lines) * filter_lines * blocks;
    } else if (!shares_tiles(tiles)) {
      cost += (filter_bytes > far_filter_bytes ? far_filter_line : near_filter_line) * filter_lines * (1 + blocks);
    }
  }
  return cost;
}

double depthwise_tile_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const DepthwiseTiles& cut = plan.depthwise;
  const int size = shape_of(cut.transform).size;
  const double transform = fourier_work(plan, size);
  const double rows = static_cast<double>(p.batch) * static_cast<double>(cut.phases);
  const double blocks = static_cast<double>(cut.blocks);
  const double parts = static_cast<double>(cut.parts);
  // Lanes of one row share the transforms of its blocks.
  const int64_t width = width_of(plan);
  const bool one_row = p.groups == 1 || p.out_channels / p.groups % width == 0;
  const double forth = (blocks + parts - 1) / (one_row ? static_cast<double>(width) : 1);
  const double transforms = rows * (blocks + forth) + parts;
  const double products = rows * blocks * parts * size;
  const double transform_factor = depthwise_transform + depthwise_transform_byte * plan.instruction_set->vector_bytes;
  // Phases of a dilation are copied sample by sample.
  const double dilated = cut.phases > 1 ? input_elements(p) + output_elements(p) : 0;
  return static_cast<double>(cut.lane_groups) *
             (transform_factor * transform * transforms + depthwise_product * products) +
         depthwise_dilated_sample * dilated +
         (computes_in_own_type(p.data_type) ? 0 : depthwise_narrow_line * lines_of(p, output_elements(p)));
}

}  // namespace tapconv::kernels
