// This file plans the direct sum, by rows and register tiles or by matrices.
#pragma once

#include "kernels/core/direct_sum.h"

namespace tapconv::kernels {

// Returns how many input channels share a row of the direct sum (DirectPlan::row_channels).
int row_channels_of(const Problem& problem, const InstructionSet& instruction_set);

// Plans a forward problem by the direct sum, whatever the problem asks for. With `packed_ahead`, the direct sum does
// not pack weights in the call: it finds them packed, or reads them where they lie.
DirectPlan plan_direct(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                       int slots, bool packed_ahead = false);

// Returns the cheaper one of that plan and one that folds all samples into one row (RowPlan::folded). Both read the
// same packed weights.
DirectPlan plan_cheapest_direct(const Problem& problem, const ForwardVariant& variant,
                                const InstructionSet& instruction_set, int slots, bool packed_ahead = false);

// Plans the direct sum of what a call must not transform (numbers/filter_kinds.h). Its blocks do not depend on the
// slots.
DirectPlan plan_fallback(const Call& call);

}  // namespace tapconv::kernels
