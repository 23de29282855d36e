// Problem + what an instruction set offers -> Plan. Knows no kernel.
#pragma once

#include "plan.h"

namespace tapconv::kernels {

struct InstructionSet;

// The plan of a forward problem for at most `slots` parts running side by side. `weight_group_stride` is the distance
// between the weights of neighbouring groups. Also takes the problems that grad_input.cpp makes: their padding may be
// negative, their kernel_size zero, and their weights transposed within each group.
Plan decide_forward(const Problem& problem, int64_t weight_group_stride, const InstructionSet& instruction_set,
                    int slots);

Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
