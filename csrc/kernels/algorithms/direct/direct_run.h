// Carries out plans of the direct sum: tables and bias first, then the weights, then the tasks.
#pragma once

#include "kernels/core/kernel_table.h"
#include "kernels/core/parallel.h"
#include "kernels/core/tasks.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {

const ForwardKernels& direct_kernels(const Plan& plan);

// Writes operands.packed_weight for a direct plan.
void pack_register_tiles(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Packs the weights of a direct plan and carries out those of its tasks that `wanted` picks.
template <class Wanted>
void run_direct(const Plan& plan, ForwardOperands operands, const Parallel& parallel, const Wanted& wanted) {
  const ForwardKernels& kernels = direct_kernels(plan);
  char* const memory = static_cast<char*>(operands.workspace);
  fill_offset_table(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
  if (operands.bias != nullptr) kernels.prepare_bias(plan, operands);
  if (plan.pack_weight && !plan.packed_ahead) {
    operands.packed_weight = memory + plan.packed_weight_at;
    pack_register_tiles(plan, operands, parallel);
  }
  run_tasks(parallel, plan.slots, plan.task_count, memory, [&](int64_t first, int64_t last, int slot) {
    for (int64_t task = first; task < last; ++task) {
      int64_t end = task;
      while (end < last && wanted(end)) ++end;
      if (end > task) kernels.run_tasks(plan, operands, task, end, slot);
      task = end;
    }
  });
}

}  // namespace tapconv::kernels
