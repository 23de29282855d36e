#include "column_run.h"

#include "kernels/core/tasks.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {
namespace {

int32_t* offset_table(const ColumnPlan& plan, void* workspace) {
  return reinterpret_cast<int32_t*>(static_cast<char*>(workspace) + plan.offset_table_at);
}

}  // namespace

bool run_grad_input_columns(const ColumnPlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  fill_even_offsets(offset_table(plan, operands.workspace), plan.out_block,
                    plan.problem.batch * plan.problem.output_length);
  char* const flag = static_cast<char*>(operands.workspace) + plan.flag_at;
  *flag = 0;
  const KernelTable& table = *plan.instruction_set->table();
  run_all(table.grad_input_columns[static_cast<int>(plan.problem.data_type)].run_tasks, plan, operands, parallel);
  return *flag == 0;
}

void run_grad_weight_columns(const ColumnPlan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  fill_even_offsets(offset_table(plan, operands.workspace), plan.problem.batch * plan.problem.output_length,
                    largest_tile_rows);
  const KernelTable& table = *plan.instruction_set->table();
  run_all(table.grad_weight[static_cast<int>(plan.problem.data_type)].run_column_tasks, plan, operands, parallel);
}

}  // namespace tapconv::kernels
