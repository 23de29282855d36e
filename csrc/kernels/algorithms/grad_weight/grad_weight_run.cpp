#include "grad_weight_run.h"

#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/numbers/whole_numbers.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {

const GradWeightKernels& grad_weight_kernels_of(const Call& call) {
  return call.instruction_set->table()->grad_weight[static_cast<int>(call.problem.data_type)];
}

void add_grad_weight_parts(const GradWeightPlan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  if (plan.grad_weight.reduction_parts <= 1) return;
  run_tasks(parallel, plan.slots, plan.problem.out_channels, operands.workspace, [&](int64_t first, int64_t last, int) {
    grad_weight_kernels_of(plan).add_parts(plan, operands, first, last);
  });
}

void run_grad_weight(const GradWeightPlan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  char* const memory = static_cast<char*>(operands.workspace);
  fill_offset_table(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
  run_all(grad_weight_kernels_of(plan).run_tasks, plan, operands, parallel);
  add_grad_weight_parts(plan, operands, parallel);
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

}  // namespace tapconv::kernels
