// This file plans the direct sum where the instruction set multiplies matrices of bfloat16 (matrix_sum.h).
#pragma once

#include <cstdint>

#include "kernels/core/direct_sum.h"

namespace tapconv::kernels {

// Says whether the direct sum of this problem is one of matrix products. The weight's shape, its type and the
// instruction set decide, so that packed weights serve any input.
bool sums_by_matrices(const Problem& problem, const InstructionSet& instruction_set);

// Returns the bytes of the packed weight for such a problem, the same for any input.
int64_t matrix_weight_bytes(const Problem& problem);

// The arguments are those of plan_direct; `folded` is RowPlan::folded.
DirectPlan plan_matrices(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                         int slots, bool packed_ahead, bool folded);

// Writes the offset table of such a plan: where the first row of each step begins, in pairs.
void fill_step_offsets(const DirectPlan& plan, int32_t* table);

}  // namespace tapconv::kernels
