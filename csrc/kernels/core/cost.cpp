#include "cost.h"

#include <cmath>

#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {

const Prices& prices_of(const Call& call) { return *call.instruction_set->prices; }

int64_t width_of(const Call& call) {
  return call.instruction_set->vector_bytes / compute_bytes(call.problem.data_type);
}

double sweep_cost(const RowPlan& plan, int64_t vectors) {
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  const int64_t column_tiles = ceil_div(vectors, tiles.columns[plan.tile_rows]);
  const int64_t wide = vectors % column_tiles;
  const int64_t columns = vectors / column_tiles;
  return static_cast<double>(plan.tile_row_count) *
         (static_cast<double>(wide) * tile_time(plan.tile_rows, static_cast<double>(columns + 1)) +
          static_cast<double>(column_tiles - wide) * tile_time(plan.tile_rows, static_cast<double>(columns)));
}

double sweep_calls(const RowPlan& plan, int64_t vectors) {
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  return static_cast<double>(plan.tile_row_count) * static_cast<double>(plan.channel_block_count) *
         static_cast<double>(ceil_div(vectors, tiles.columns[plan.tile_rows]));
}

double lines_of(const Problem& p, double elements) {
  return elements * static_cast<double>(compute_bytes(p.data_type)) / static_cast<double>(cache_line_bytes);
}
double input_elements(const Problem& p) {
  return static_cast<double>(p.batch) * static_cast<double>(p.in_channels) * static_cast<double>(p.input_length);
}
double output_elements(const Problem& p) {
  return static_cast<double>(p.batch) * static_cast<double>(p.out_channels) * static_cast<double>(p.output_length);
}

double strided_samples(const RowPlan& plan) {
  const Problem& p = plan.problem;
  if (p.stride == 1) return 0;
  return static_cast<double>(p.batch) * static_cast<double>(p.in_channels) * static_cast<double>(p.output_length) *
         static_cast<double>(plan.rows.segment_count);
}

double copied_rows_cost(const RowPlan& plan) {
  const Problem& p = plan.problem;
  const double pieces = static_cast<double>(p.batch * p.in_channels * plan.rows.segment_count);
  const RowPrices& price = prices_of(plan).rows;
  return pieces * (plan.folded && folds_by_vectors(p, width_of(plan)) ? price.folded_vector : price.piece);
}

double fourier_work(const Call& call, int size) {
  const CachePrices& price = prices_of(call).caches;
  const bool is_large = 2 * size * call.instruction_set->vector_bytes > price.near_transform_bytes;
  return (is_large ? price.large_transform : 1) * size * std::log2(size);
}

double packed_line(const CachePrices& price, double lines) {
  const double bytes = lines * cache_line_bytes;
  return bytes > price.far_packed_bytes    ? price.far_packed_line
         : bytes > price.near_filter_bytes ? price.near_packed_line
                                           : 0;
}

}  // namespace tapconv::kernels
