// Carries out a plan for the weight gradient: the tasks, then, where sums were split, the addition of the parts.
#include "conv1d.h"
#include "kernel_table.h"
#include "offset_table.h"
#include "planner.h"
#include "tasks.h"

namespace tapconv::kernels {

Plan plan_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return decide_grad_weight(problem, instruction_set, slots);
}

void grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight, void* grad_bias,
                 void* workspace, const Parallel& parallel) {
  if (plan.algorithm == Algorithm::empty) return;
  const GradWeightKernels& kernels =
      plan.instruction_set->table()->grad_weight[static_cast<int>(plan.problem.data_type)];
  const GradWeightOperands operands{grad_output, input, grad_weight, grad_bias, workspace};
  char* const memory = static_cast<char*>(workspace);
  fill_offset_table(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
  run_tasks(parallel, plan.slots, plan.task_count, memory,
            [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
  if (plan.grad_weight.parts > 1) {
    run_tasks(parallel, plan.slots, plan.problem.out_channels, memory,
              [&](int64_t first, int64_t last, int) { kernels.add_parts(plan, operands, first, last); });
  }
}

}  // namespace tapconv::kernels
