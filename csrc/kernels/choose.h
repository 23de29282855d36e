// This file chooses among all ways to compute a forward problem or a weight gradient (algorithms.h).
#pragma once

#include "algorithms.h"

namespace tapconv::kernels {

// Plans a forward problem for at most `slots` parts that run side by side. It also takes the problems that lowering/
// makes: their padding may be negative, their kernel_size zero, and their weights transposed within each group. The
// plan may use what was packed before the call, as `prepared` says.
Plan choose_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, const Prepared& prepared = {});

// Plans a weight gradient.
Plan choose_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

// Returns the cheapest plan with transforms that the question's request allows.
Answer<Plan> cheapest_transforms(const Question& question);

// Says whether a request names a family of transforms, which is then used whatever it costs.
constexpr bool asks_for_transforms(AlgorithmRequest request) {
  return request == AlgorithmRequest::fft || request == AlgorithmRequest::winograd;
}

}  // namespace tapconv::kernels
