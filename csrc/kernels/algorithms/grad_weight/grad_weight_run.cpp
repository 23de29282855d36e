#include "grad_weight_run.h"

#include "grad_weight_plan.h"
#include "kernels/core/instruction_set.h"
#include "kernels/core/kernel_table.h"
#include "kernels/core/register_tiles.h"
#include "kernels/core/tasks.h"
#include "kernels/core/whole_numbers.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {

namespace {

const GradWeightKernels& kernels_of(const Plan& plan) {
  return plan.instruction_set->table()->grad_weight[static_cast<int>(plan.problem.data_type)];
}

void add_parts(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  if (plan.grad_weight.parts <= 1) return;
  run_tasks(parallel, plan.slots, plan.problem.out_channels, operands.workspace,
            [&](int64_t first, int64_t last, int) { kernels_of(plan).add_parts(plan, operands, first, last); });
}

void run_direct(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  char* const memory = static_cast<char*>(operands.workspace);
  fill_offset_table(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
  run_tasks(parallel, plan.slots, plan.task_count, memory, [&](int64_t first, int64_t last, int slot) {
    kernels_of(plan).run_tasks(plan, operands, first, last, slot);
  });
  add_parts(plan, operands, parallel);
}

bool are_all_whole(const Problem& p, const GradWeightOperands& operands) {
  const auto both = [&]<class Storage>(const Storage*) {
    return are_whole(static_cast<const Storage*>(operands.grad_output), p.output_strides, p.batch, p.out_channels,
                     p.output_length) &&
           are_whole(static_cast<const Storage*>(operands.input), p.input_strides, p.batch, p.in_channels,
                     p.input_length);
  };
  switch (p.data_type) {
    case DataType::float32:
      return both(static_cast<const float*>(nullptr));
    case DataType::float64:
      return both(static_cast<const double*>(nullptr));
    case DataType::bfloat16:
      return both(static_cast<const BFloat16*>(nullptr));
    case DataType::float16:
      return both(static_cast<const Float16*>(nullptr));
  }
  return false;
}

// Sums of whole numbers are exact without transforms. And where a NaN, an infinity or enormous gradients turn up, all
// is computed once more without them: they would spread these over taps that have nothing to do with them.
template <class RunTransformed>
void run_with_fallback(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel, size_t flag_at,
                       size_t fallback_at, const RunTransformed& run_transformed) {
  char* const memory = static_cast<char*>(operands.workspace);
  char& flag = memory[flag_at];
  flag = are_all_whole(plan.problem, operands) ? 1 : 0;
  if (flag == 0) run_tasks(parallel, plan.slots, plan.task_count, memory, run_transformed);
  if (flag == 0) return add_parts(plan, operands, parallel);
  GradWeightOperands again = operands;
  again.workspace = memory + fallback_at;
  run_direct(decide_grad_weight_without_tiles(plan.problem, *plan.instruction_set, plan.slots), again, parallel);
}

void run_tiles(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  int32_t* const offsets = reinterpret_cast<int32_t*>(static_cast<char*>(operands.workspace) + plan.offset_table_at);
  fill_even_offsets(offsets, plan.channel_block * plan.rows.segment_count, plan.tiles.block_tiles);
  run_with_fallback(plan, operands, parallel, plan.tiles.flags_at, plan.tiles.fallback_at,
                    [&](int64_t first, int64_t last, int slot) {
                      kernels_of(plan).run_tile_tasks(plan, operands, first, last, slot);
                    });
}

void run_depthwise_tiles(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  run_with_fallback(plan, operands, parallel, plan.depthwise.flags_at, plan.depthwise.fallback_at,
                    [&](int64_t first, int64_t last, int slot) {
                      kernels_of(plan).run_depthwise_tile_tasks(plan, operands, first, last, slot);
                    });
}

void run_columns(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  char* const memory = static_cast<char*>(operands.workspace);
  int32_t* const offsets = reinterpret_cast<int32_t*>(memory + plan.offset_table_at);
  fill_even_offsets(offsets, plan.problem.batch * plan.problem.output_length, largest_tile_rows);
  run_tasks(parallel, plan.slots, plan.task_count, memory, [&](int64_t first, int64_t last, int slot) {
    kernels_of(plan).run_column_tasks(plan, operands, first, last, slot);
  });
}

}  // namespace

void run_grad_weight(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  if (plan.algorithm == Algorithm::empty) return;
  if (plan.algorithm == Algorithm::grad_weight_tiles) {
    run_tiles(plan, operands, parallel);
  } else if (plan.algorithm == Algorithm::grad_weight_depthwise_tiles) {
    run_depthwise_tiles(plan, operands, parallel);
  } else if (plan.algorithm == Algorithm::grad_weight_columns) {
    run_columns(plan, operands, parallel);
  } else {
    run_direct(plan, operands, parallel);
  }
}

}  // namespace tapconv::kernels
