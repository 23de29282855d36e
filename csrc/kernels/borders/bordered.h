// The front door for convolutions whose input has borders (border_parts.h): as kernels/conv1d.h, a plan, then a run in
// memory of the caller's.
#pragma once

#include <array>
#include <cstddef>

#include "border_parts.h"
#include "gather.h"
#include "kernels/conv1d.h"

namespace tapconv::kernels {

struct BorderPlan {
  Problem problem;
  BorderParts parts;
  std::array<Plan, 3> plans;  // of the parts
  size_t part_workspace_at;   // what was gathered lies before it
  size_t workspace_bytes;
};

// `problem` has zeros for padding, and the strides of the input alone. `slots_for` says how many slots a part is worth.
BorderPlan plan_bordered_forward(const Problem& problem, const BorderLengths& borders,
                                 const InstructionSet& instruction_set, int (*slots_for)(const Problem& part));

// As kernels::forward. `parallel` has as many slots as slots_for named at most.
void bordered_forward(const BorderPlan& plan, const BorderedSignal& signal, const void* weight, const void* bias,
                      void* output, void* workspace, const Parallel& parallel);

}  // namespace tapconv::kernels
