#include "grad_weight_tile_run.h"

#include "kernels/algorithms/grad_weight/grad_weight_run.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {

void run_grad_weight_tiles(const GradWeightTilePlan& plan, const GradWeightOperands& operands,
                           const Parallel& parallel) {
  int32_t* const offsets = reinterpret_cast<int32_t*>(static_cast<char*>(operands.workspace) + plan.offset_table_at);
  fill_even_offsets(offsets, plan.channel_block * plan.rows.segment_count, plan.tiles.block_tiles);
  const auto run_transformed = [&](int64_t first, int64_t last, int slot) {
    grad_weight_kernels_of(plan).run_tile_tasks(plan, operands, first, last, slot);
  };
  if (run_with_fallback(plan, operands, parallel, plan.tiles.flags_at, plan.tiles.fallback_at, run_transformed)) {
    add_grad_weight_parts(plan, operands, parallel);
  }
}

}  // namespace tapconv::kernels
