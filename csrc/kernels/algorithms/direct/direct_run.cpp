#include "direct_run.h"

#include "kernels/algorithms/matrix/matrix_plan.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {
namespace {

// With fewer elements than this, a second thread costs more than packing on one.
constexpr int64_t min_parallel_packing = 64 * 1024;

}  // namespace

const DirectKernels& direct_kernels(const DirectPlan& plan) {
  const KernelTable& table = *plan.instruction_set->table();
  if (plan.matrix.used) return table.bfloat16_matrices;
  return plan.row_channels == 2 ? table.bfloat16_pairs : table.direct[static_cast<int>(plan.problem.data_type)];
}

void fill_offsets(const DirectPlan& plan, int32_t* table) {
  if (plan.matrix.used) {
    fill_step_offsets(plan, table);
  } else {
    fill_offset_table(plan, table);
  }
}

void pack_register_tiles(const DirectPlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const DirectKernels& kernels = direct_kernels(plan);
  const Problem& p = plan.problem;
  const int64_t elements = p.out_channels * (p.in_channels / p.groups) * p.kernel_size;
  const int slots = elements < min_parallel_packing ? 1 : plan.slots;
  run_tasks(parallel, slots, p.groups * plan.tile_row_count, operands.workspace,
            [&](int64_t first, int64_t last, int) { kernels.pack_tiles(plan, operands, first, last); });
}

}  // namespace tapconv::kernels
