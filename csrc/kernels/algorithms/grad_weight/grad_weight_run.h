// This file carries out plans of the weight gradient.
#pragma once

#include "grad_weight_plan.h"
#include "kernels/core/parallel.h"
#include "kernels/core/tasks.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

void run_grad_weight(const GradWeightPlan& plan, const GradWeightOperands& operands, const Parallel& parallel);

// Runs of plans with transforms share what follows.

const GradWeightKernels& grad_weight_kernels_of(const Call& call);

// Adds up the parts of a sum that was divided.
void add_grad_weight_parts(const GradWeightPlan& plan, const GradWeightOperands& operands, const Parallel& parallel);

// Says whether all numbers of both operands are whole.
bool are_all_whole(const Problem& problem, const GradWeightOperands& operands);

// Takes sums without transforms where they would lose something by them: sums of whole numbers are exact only so. Where
// a NaN, an infinity or enormous gradients turn up, all is computed once more without transforms, which would spread
// these over taps that have nothing to do with them. Returns false if the fallback of the plan took the sums that
// `run_transformed` was to take.
template <class Plan, class RunTransformed>
bool run_with_fallback(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel, size_t flag_at,
                       size_t fallback_at, const RunTransformed& run_transformed) {
  char* const memory = static_cast<char*>(operands.workspace);
  char& flag = memory[flag_at];
  flag = are_all_whole(plan.problem, operands) ? 1 : 0;
  if (flag == 0) run_tasks(parallel, plan.slots, plan.task_count, memory, run_transformed);
  if (flag == 0) return true;
  GradWeightOperands again = operands;
  again.workspace = memory + fallback_at;
  run_grad_weight(plan.fallback, again, parallel);
  return false;
}

}  // namespace tapconv::kernels
