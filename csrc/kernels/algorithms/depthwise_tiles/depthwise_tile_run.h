// Carries out plans of depthwise tiles.
#pragma once

#include "kernels/core/kernel_table.h"
#include "kernels/core/parallel.h"

namespace tapconv::kernels {

void run_depthwise_tiles(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
