// Carries out plans of the weight gradient: the tasks, then, where sums were split, the addition of the parts.
#pragma once

#include "kernels/core/kernel_table.h"
#include "kernels/core/tasks.h"

namespace tapconv::kernels {

void run_grad_weight(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
