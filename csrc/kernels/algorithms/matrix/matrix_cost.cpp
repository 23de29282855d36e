#include "matrix_cost.h"

#include <cmath>

#include "kernels/core/cost.h"

namespace tapconv::kernels {

double matrix_cost(const DirectPlan& plan) {
  constexpr double tile = 16;
  constexpr double min_rows = 8;  // fewer output channels take no less
  const Problem& p = plan.problem;
  const MatrixPrices& price = prices_of(plan).matrix;
  const DirectPrices& direct = prices_of(plan).direct;
  const MatrixSteps& matrix = plan.matrix;
  const int64_t samples = plan.folded ? p.batch : 1;
  const double time_tiles = std::ceil(static_cast<double>(samples * p.output_length) / tile);
  const double sweeps = static_cast<double>(p.batch / samples * p.groups) * time_tiles;
  const double outs = static_cast<double>(plan.tile_row_count);
  const double calls = std::ceil(static_cast<double>(matrix.steps) / static_cast<double>(matrix.steps_at_a_time));
  const double segments = matrix.rows_of_taps ? 1 : static_cast<double>(plan.rows.segment_count);
  return sweeps * (outs * (price.step * static_cast<double>(matrix.steps) *
                               std::max(plan.tile_rows / tile, min_rows / tile) +
                           price.call * calls + price.output * plan.tile_rows) +
                   (matrix.transposes_taps ? price.transposed_row : price.row) * static_cast<double>(matrix.rows) *
                       segments) +
         (matrix.transposes_taps ? 0 : copied_rows_cost(plan) + direct.strided_sample * strided_samples(plan)) +
         direct.input_line * lines_of(p, input_elements(p)) / 2 +
         (plan.packed_ahead ? 0
                            : price.weight * static_cast<double>(p.out_channels) *
                                  static_cast<double>(p.in_channels / p.groups * p.kernel_size));
}

}  // namespace tapconv::kernels
