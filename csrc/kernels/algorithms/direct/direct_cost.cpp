#include "direct_cost.h"

#include "kernels/algorithms/matrix/matrix_cost.h"
#include "kernels/core/cost.h"

namespace tapconv::kernels {
namespace {

// Sweeping all register tiles of a group over `vectors` of times, for one (channel, tap) pair.
double tiles_cost(const DirectPlan& plan, int64_t vectors) {
  if (plan.short_tile_pairs == 0) return sweep_cost(plan, vectors);
  return 2.0 * static_cast<double>(plan.tile_row_count * plan.tile_rows) / plan.short_tile_pairs;
}

}  // namespace

double direct_cost(const DirectPlan& plan) {
  if (plan.matrix.used) return matrix_cost(plan);
  const Problem& p = plan.problem;
  const DirectPrices& price = prices_of(plan).direct;
  const double group_in = static_cast<double>(ceil_div(p.in_channels / p.groups, plan.row_channels));
  const double taps = static_cast<double>(p.kernel_size);
  const int64_t samples = plan.folded ? p.batch : 1;  // of a row
  const int64_t vectors = ceil_div(samples * p.output_length, width_of(plan));
  const double sweeps = static_cast<double>(p.batch / samples * p.groups);
  const double partial_line = p.out_channels > p.groups ? price.partial_line : price.partial_row_line;
  return copied_rows_cost(plan) +
         sweeps * (tiles_cost(plan, vectors) * group_in * taps + price.call * sweep_calls(plan, vectors)) +
         price.input_line * lines_of(p, input_elements(p)) + price.strided_sample * strided_samples(plan) +
         (plan.direct_output ? 0 : partial_line * lines_of(p, output_elements(p))) +
         (plan.pack_weight && !plan.packed_ahead ? price.weight * static_cast<double>(p.out_channels) * group_in * taps
                                                 : 0);
}

}  // namespace tapconv::kernels
