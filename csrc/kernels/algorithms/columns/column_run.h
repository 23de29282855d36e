// This file carries out plans of columns.
#pragma once

#include "column_plan.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

// Computes the gradient by the input. Returns false if sums were not finite, and then another way has to compute it.
bool run_grad_input_columns(const ColumnPlan& plan, const ForwardOperands& operands, const Parallel& parallel);

void run_grad_weight_columns(const ColumnPlan& plan, const GradWeightOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
