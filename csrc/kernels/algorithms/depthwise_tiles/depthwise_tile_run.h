// Carries out plans of depthwise tiles.
#pragma once

#include "kernels/conv1d.h"
#include "kernels/core/kernel_table.h"

namespace tapconv::kernels {

void run_depthwise_tiles(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
