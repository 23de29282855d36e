// The choice among all ways to compute a forward problem or a weight gradient.
#pragma once

#include <optional>

#include "kernels/algorithms/tiles/tile_plan.h"
#include "plan.h"

namespace tapconv::kernels {

struct InstructionSet;

// The plan of a forward problem for at most `slots` parts running side by side. Also takes the problems that
// grad_input.cpp makes: their padding may be negative, their kernel_size zero, and their weights transposed within each
// group. With `packed_ahead`, the direct sum does not pack weights in the call: it finds them packed, or reads them
// where they lie.
Plan decide_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, bool packed_ahead = false);

// The cheapest plan with transforms, of those that the problem's request allows; nothing if none fits.
std::optional<TileChoice> decide_transformed(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots);

// The plan of a weight gradient.
Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
