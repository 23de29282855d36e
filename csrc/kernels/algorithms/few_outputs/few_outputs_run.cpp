#include "few_outputs_run.h"

#include "kernels/core/blocking.h"
#include "kernels/core/instruction_set.h"
#include "kernels/core/tasks.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {
namespace {

void run_all(const TaskKernels& kernels, const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  run_tasks(parallel, plan.slots, plan.task_count, operands.workspace,
            [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
}

}  // namespace

void run_dot(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const KernelTable& table = *plan.instruction_set->table();
  run_all(table.dot[static_cast<int>(plan.problem.data_type)], plan, operands, parallel);
}

void run_channel_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const KernelTable& table = *plan.instruction_set->table();
  run_all(table.channel_lanes[static_cast<int>(plan.problem.data_type)], plan, operands, parallel);
}

void run_out_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  fill_offset_table(plan, reinterpret_cast<int32_t*>(static_cast<char*>(operands.workspace) + plan.offset_table_at));
  const OutLaneKernels& kernels = plan.instruction_set->table()->out_lanes[static_cast<int>(plan.problem.data_type)];
  run_tasks(parallel, plan.slots, plan.task_count, operands.workspace,
            [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
}

void pack_out_lanes(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const OutLaneKernels& kernels = plan.instruction_set->table()->out_lanes[static_cast<int>(plan.problem.data_type)];
  const Problem& p = plan.problem;
  const int64_t width = plan.instruction_set->vector_bytes / compute_bytes(p.data_type);
  run_tasks(parallel, plan.slots, p.groups * divide_up(p.out_channels / p.groups, width), operands.workspace,
            [&](int64_t first, int64_t last, int) {
              for (int64_t vector = first; vector < last; ++vector) kernels.pack_vector(plan, operands, vector);
            });
}

}  // namespace tapconv::kernels
