// The kernels' front door: how a call is planned and computed, with all that a caller needs for it. Plain structs and
// raw pointers go in, and numbers come out. Nothing here allocates, starts threads or knows a tensor library: the
// caller hands in a workspace of the size that the plan states, and a way to run tasks side by side.
#pragma once

#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/plan.h"
#include "kernels/problem.h"

namespace tapconv::kernels {

// Runs every slot on the calling thread, one after the other.
Parallel serial();

// Each decides how to compute a problem. The same problem, instruction set and slots give the same plan. The number of
// slots changes how the work is divided, never a bit of the result.
Plan plan_forward(const Problem& problem, const InstructionSet& instruction_set, int slots);
Plan plan_grad_input(const Problem& problem, const InstructionSet& instruction_set, int slots);
Plan plan_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

// Returns null if a forward problem can be computed by the algorithm that it asks for, else the reason as the end of a
// sentence. A gradient, or a forward problem that was not asked about, runs as `automatic` where its algorithm cannot
// be had. `direct` can always be had.
const char* why_not(const Problem& problem, const InstructionSet& instruction_set);

// output[n, o, t] = bias[o] + sum over c, k of weight[o, c, k] * padded input[n, c, t * stride + k * dilation].
// `bias` is contiguous (out_channels) in the problem's data type, or null. `workspace` has plan.workspace_bytes,
// aligned to 64 bytes. `output` overlaps no other argument. float32 and float64 are summed in their own type, bfloat16
// and float16 in float32 with one rounding at the end.
void forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output, void* workspace,
             const Parallel& parallel);

// grad_input[n, c, i] = the derivative of sum(output * grad_output) by input[n, c, i].
void grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input, void* workspace,
                const Parallel& parallel);

// grad_weight[o, c, k] = the derivative of sum(output * grad_output) by weight[o, c, k], and, where `grad_bias` is not
// null, grad_bias[o] = the sum of grad_output over samples and times, in the pass that reads grad_output anyway; it is
// contiguous and of the problem's data type.
void grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight, void* grad_bias,
                 void* workspace, const Parallel& parallel);

}  // namespace tapconv::kernels
