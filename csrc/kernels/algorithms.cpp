#include "algorithms.h"

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_run.h"
#include "kernels/algorithms/direct/direct_run.h"
#include "kernels/algorithms/few_outputs/few_outputs_run.h"
#include "kernels/algorithms/tiles/tile_run.h"

namespace tapconv::kernels {

void run_forward(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  switch (plan.algorithm) {
    case Algorithm::empty:
      return;
    case Algorithm::tap:
      return run_direct(plan, operands, parallel, [](int64_t) { return true; });
    case Algorithm::dot:
      return run_dot(plan, operands, parallel);
    case Algorithm::channel_lanes:
      return run_channel_lanes(plan, operands, parallel);
    case Algorithm::out_lanes:
      return run_out_lanes(plan, operands, parallel);
    case Algorithm::tiles:
      return run_tiles(plan, operands, parallel);
    case Algorithm::depthwise_tiles:
      return run_depthwise_tiles(plan, operands, parallel);
    case Algorithm::grad_input_columns:
    case Algorithm::grad_weight:
    case Algorithm::grad_weight_tiles:
    case Algorithm::grad_weight_depthwise_tiles:
    case Algorithm::grad_weight_columns:
      return;  // of gradients, which have front doors of their own (lowering/, grad_weight/)
  }
}

}  // namespace tapconv::kernels
