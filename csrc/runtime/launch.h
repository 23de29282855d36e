// What every operator on the CPU does around the kernels: memory, threads, a plan.
#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>

#include "kernels/conv1d.h"

namespace tapconv::runtime {

// CPU memory straight from torch's allocator, which aligns it to 64 bytes.
at::Tensor allocate(at::IntArrayRef shape, at::ScalarType type);

// How many threads may share the work.
int slots_for(const kernels::Problem& problem);

// torch's threads. An exception thrown in any slot reaches the caller.
kernels::Parallel parallel(int slots);

// Plans with `plan_of`, then has `run` compute with the plan, a workspace and threads.
template <typename PlanOf, typename Run>
void launch(const kernels::Problem& problem, PlanOf plan_of, Run run) {
  const int slots = slots_for(problem);
  const kernels::Plan plan = plan_of(problem, kernels::current_instruction_set(), slots);
  const at::Tensor workspace = allocate({static_cast<int64_t>(plan.workspace_bytes())}, at::kByte);
  run(plan, workspace.mutable_data_ptr(), parallel(slots));
}

}  // namespace tapconv::runtime
