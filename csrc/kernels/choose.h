// The choice among all ways to compute a forward problem or a weight gradient (algorithms.h).
#pragma once

#include "algorithms.h"

namespace tapconv::kernels {

// The plan of a forward problem for at most `slots` parts running side by side. Also takes the problems that
// lowering/ makes: their padding may be negative, their kernel_size zero, and their weights transposed within each
// group. With `prepared`, it may use what was packed before the call.
Plan choose_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, const Prepared& prepared = {});

// The plan of a weight gradient.
Plan choose_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

// The cheapest plan with transforms, of those that the question's request allows.
Answer<Plan> cheapest_transforms(const Question& question);

// Does a request name a family of transforms, which is then used whatever it costs?
constexpr bool asks_for_transforms(AlgorithmRequest request) {
  return request == AlgorithmRequest::fft || request == AlgorithmRequest::winograd;
}

}  // namespace tapconv::kernels
