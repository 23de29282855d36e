// Causal depthwise convolutions with a state, as state-space models have them: the front door.
//
// They follow the package causal-conv1d (Dao-AILab, 1.6): its forward function and its update of a decoding step are
// one call here, since both read a window that begins in a state.
#pragma once

#include "causal_call.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels {

// Divides the work. Bits depend neither on the division nor on `slots`.
CausalPlan plan_causal(const CausalCall& call, int slots);

// `operands.workspace` has plan.workspace_bytes, aligned to 64 bytes. The caller has checked that indices and lengths
// are in range, and that the output and the state overlap nothing else.
void causal(const CausalPlan& plan, const CausalOperands& operands, const InstructionSet& instruction_set,
            const Parallel& parallel);

}  // namespace tapconv::kernels
