// Plans of the gradients of a handful of outputs, whose lanes are the columns of the weight: (in_channel, tap) pairs
// (grad_input_columns.h, grad_weight_columns.h).
#pragma once

#include <optional>

#include "kernels/plan.h"

namespace tapconv::kernels {

// Nothing where there are too many outputs for it, or where the weights of an output channel do not lie side by side.
std::optional<Plan> decide_grad_input_columns(const Problem& problem, const InstructionSet& instruction_set, int slots);
std::optional<Plan> decide_grad_weight_columns(const Problem& problem, const InstructionSet& instruction_set,
                                               int slots);

}  // namespace tapconv::kernels
