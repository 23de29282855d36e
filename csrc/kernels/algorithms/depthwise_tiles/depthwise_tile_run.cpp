#include "depthwise_tile_run.h"

#include "kernels/algorithms/grad_weight/grad_weight_run.h"
#include "kernels/core/tasks.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/numbers/filter_kinds.h"

namespace tapconv::kernels {

void run_depthwise_tiles(const DepthwiseTilePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const TaskKernels<DepthwiseTilePlan>& kernels =
      plan.instruction_set->table()->depthwise_tiles[static_cast<int>(plan.problem.data_type)];
  char* const memory = static_cast<char*>(operands.workspace);
  find_filter_kinds(plan.problem, plan.variant, operands.weight,
                    reinterpret_cast<FilterKind*>(memory + plan.depthwise.kinds_at));
  run_all(kernels.run_tasks, plan, operands, parallel);
}

void run_grad_weight_depthwise_tiles(const GradWeightDepthwiseTilePlan& plan, const GradWeightOperands& operands,
                                     const Parallel& parallel) {
  const auto run_transformed = [&](int64_t first, int64_t last, int slot) {
    grad_weight_kernels_of(plan).run_depthwise_tile_tasks(plan, operands, first, last, slot);
  };
  run_with_fallback(plan, operands, parallel, plan.depthwise.flags_at, plan.depthwise.fallback_at, run_transformed);
}

}  // namespace tapconv::kernels
