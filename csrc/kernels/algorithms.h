// Every way to compute a forward problem, by the name that a plan has for it.
#pragma once

#include "conv1d.h"
#include "kernels/core/kernel_table.h"

namespace tapconv::kernels {

// A whole call. Where the plan was made for weights packed ahead, operands.packed_weight has them.
void run_forward(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
