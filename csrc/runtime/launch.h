// Every operator on the CPU does this around the kernels: it finds memory, threads and a plan.
#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>

#include "kernels/causal/causal.h"
#include "kernels/conv1d.h"
#include "kernels/explain.h"

namespace tapconv::runtime {

// Allocates CPU memory straight from torch's allocator, which aligns it to 64 bytes.
at::Tensor allocate(at::IntArrayRef shape, at::ScalarType type);

// Returns how many threads may share the work.
int slots_for(const kernels::Problem& problem);
int slots_for(const kernels::CausalCall& call);

// Returns torch's threads. An exception thrown in any slot reaches the caller.
kernels::Parallel parallel(int slots);

// With TAPCONV_EXPLAIN, says how the kernels would compute a problem and why, once for each answer.
inline void explain_if_asked(const kernels::Problem& problem, kernels::Direction direction,
                             const kernels::Prepared& prepared = {}) {
  if (!kernels::is_explanation_asked()) return;
  kernels::write_explanation(problem, direction, kernels::current_instruction_set(), slots_for(problem), prepared);
}

// Plans with `plan_of`, then has `run` compute with the plan, a workspace and threads.
template <typename PlanOf, typename Run>
void launch(const kernels::Problem& problem, PlanOf plan_of, Run run) {
  const int slots = slots_for(problem);
  const kernels::Plan plan = plan_of(problem, kernels::current_instruction_set(), slots);
  const at::Tensor workspace = allocate({static_cast<int64_t>(plan.workspace_bytes())}, at::kByte);
  run(plan, workspace.mutable_data_ptr(), parallel(slots));
}

}  // namespace tapconv::runtime
