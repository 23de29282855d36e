// Plans of the weight gradient.
#pragma once

#include "kernels/plan.h"

namespace tapconv::kernels {

struct InstructionSet;

Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

// The same without transforms, for what must not be transformed.
Plan decide_grad_weight_without_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
