#include "depthwise_tile_run.h"

#include "kernels/core/filter_kinds.h"
#include "kernels/core/instruction_set.h"
#include "kernels/core/tasks.h"

namespace tapconv::kernels {

void run_depthwise_tiles(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const TaskKernels& kernels = plan.instruction_set->table()->depthwise_tiles[static_cast<int>(plan.problem.data_type)];
  char* const memory = static_cast<char*>(operands.workspace);
  find_filter_kinds(plan.problem, plan.variant, operands.weight,
                    reinterpret_cast<FilterKind*>(memory + plan.depthwise.kinds_at));
  run_tasks(parallel, plan.slots, plan.task_count, memory,
            [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
}

}  // namespace tapconv::kernels
