#include "ops/causal/causal_launch.h"

#include "kernels/causal/causal.h"
#include "runtime/launch.h"

namespace tapconv::ops {

void launch_causal(const kernels::CausalCall& call, kernels::CausalOperands operands) {
  const kernels::CausalPlan plan = kernels::plan_causal(call, runtime::slots_for(call));
  const at::Tensor workspace = runtime::allocate({static_cast<int64_t>(plan.workspace_bytes)}, at::kByte);
  operands.workspace = workspace.mutable_data_ptr();
  kernels::causal(plan, operands, kernels::current_instruction_set(), runtime::parallel(plan.slots));
}

}  // namespace tapconv::ops
