// This file carries out plans of the direct sum: tables and bias first, then the weights, then the tasks.
#pragma once

#include "kernels/core/direct_sum.h"
#include "kernels/core/parallel.h"
#include "kernels/core/tasks.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

const DirectKernels& direct_kernels(const DirectPlan& plan);

// Fills in the offset table of a plan by register tiles or matrix tiles.
void fill_offsets(const DirectPlan& plan, int32_t* table);

// Writes operands.packed_weight for a direct plan.
void pack_register_tiles(const DirectPlan& plan, const ForwardOperands& operands, const Parallel& parallel);

// Packs the weights of a direct plan and carries out those of its tasks that `wanted` picks.
template <class Wanted>
void run_direct(const DirectPlan& plan, ForwardOperands operands, const Parallel& parallel, const Wanted& wanted) {
  const DirectKernels& kernels = direct_kernels(plan);
  char* const memory = static_cast<char*>(operands.workspace);
  fill_offsets(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
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
