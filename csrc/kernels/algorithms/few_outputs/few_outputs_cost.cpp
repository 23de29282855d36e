#include "few_outputs_cost.h"

#include <algorithm>

#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
double out_lane_cost(const OutLanePlan& plan) {
  const Problem& p = plan.problem;
  const DirectPrices& direct = prices_of(plan).direct;
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  const int64_t vectors = ceil_div(p.out_channels / p.groups, width_of(plan));
  const int64_t column_tiles = ceil_div(vectors, tiles.columns[plan.tile_rows]);
  const double columns = static_cast<double>(vectors) / static_cast<double>(column_tiles);
  const double step = std::max(plan.tile_rows * columns, plan.tile_rows + columns);
  const double pairs = static_cast<double>(p.in_channels / p.groups) * static_cast<double>(p.kernel_size);
  // Every sample after the first reads all weights once more; the direct sum may fold samples, and reads them once.
  const double weight_lines = lines_of(p, static_cast<double>(p.out_channels) * pairs);
  return copied_rows_cost(plan) +
         static_cast<double>(p.batch * p.groups) * static_cast<double>(column_tiles * plan.tile_row_count) *
             (step * pairs + direct.call * static_cast<double>(plan.channel_block_count)) +
         direct.input_line * lines_of(p, input_elements(p)) + direct.strided_sample * strided_samples(plan) +
         static_cast<double>(p.batch - 1) * packed_line(prices_of(plan).caches, weight_lines) * weight_lines;
}

double dot_cost(const DotPlan& plan) {
  const Problem& p = plan.problem;
  const FewOutputPrices& price = prices_of(plan).few_outputs;
  const double vector_bytes = static_cast<double>(plan.instruction_set->vector_bytes);
  const double length = static_cast<double>(p.in_channels / p.groups * p.kernel_size);
  const double vectors = lines_of(p, static_cast<double>(p.out_channels) * length) * cache_line_bytes / vector_bytes;
  const double line = price.weight_line * vector_bytes / cache_line_bytes;
  const double rows = dot_rows(plan.instruction_set->register_count);
  double cost = lines_of(p, static_cast<double>(p.out_channels) * length) * cache_line_bytes > price.far_weight_bytes
                    ? price.dot_far_weight * line * vectors
                    : 0;
  for (int64_t left = p.batch * p.output_length; left > 0; left -= dot_columns) {
    const double columns = static_cast<double>(std::min<int64_t>(left, dot_columns));
    // Columns that outgrow the first-level cache are read again for every few rows.
    const double column_bytes = columns * length * static_cast<double>(compute_bytes(p.data_type));
    const double beyond = std::clamp((column_bytes - price.near_column_bytes) / price.near_column_bytes, 0.0, 1.0);
    cost += vectors * (price.dot_weight * (line + columns) + beyond * line * columns / rows);
  }
  return cost;
}

double out_lane_cost_with_weights(const OutLanePlan& plan) {
  const Problem& p = plan.problem;
  const FewOutputPrices& price = prices_of(plan).few_outputs;
  const double vector_bytes = static_cast<double>(plan.instruction_set->vector_bytes);
  const double weights = static_cast<double>(p.out_channels) * static_cast<double>(p.in_channels / p.groups) *
                         static_cast<double>(p.kernel_size);
  const double vectors = lines_of(p, weights) * cache_line_bytes / vector_bytes;
  const double line = price.weight_line * vector_bytes / cache_line_bytes;
  const double tiles = static_cast<double>(p.batch * plan.tile_row_count);
  return price.out_lane_call + copied_rows_cost(plan) + tiles * vectors * (line + price.out_lane_time * plan.tile_rows);
}

}  // namespace tapconv::kernels
