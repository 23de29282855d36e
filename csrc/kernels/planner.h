// Problem + what an instruction set offers -> Plan. Knows no kernel.
#pragma once

#include <optional>

#include "plan.h"
#include "tile_planner.h"

namespace tapconv::kernels {

struct InstructionSet;

// A forward problem as the user sees it: one phase, sums in their order.
ForwardVariant plain_variant(const Problem& problem);

// Input channels that share a row of the direct sum (Plan::row_channels).
int row_channels_of(const Problem& problem, const InstructionSet& instruction_set);

// The plan of a forward problem for at most `slots` parts running side by side. Also takes the problems that
// grad_input.cpp makes: their padding may be negative, their kernel_size zero, and their weights transposed within each
// group. With `packed_ahead`, the direct sum does not pack weights in the call: it finds them packed, or reads them
// where they lie.
Plan decide_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, bool packed_ahead = false);

// The same, by the direct sum whatever the problem asks for.
Plan decide_direct(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                   int slots, bool packed_ahead = false);

// The cheaper one of that and a plan that folds all samples into one row (Plan::folded). Both read the same packed
// weights.
Plan decide_best_direct(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                        int slots, bool packed_ahead = false);

// The cheapest plan with transforms, of those that the problem's request allows; nothing if none fits.
std::optional<TileChoice> decide_transformed(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots);

// For what must not be transformed (filter_kinds.h): a direct plan whose blocks do not depend on the slots.
Plan direct_fallback(const Plan& tile_plan);

Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);
Plan decide_grad_weight_without_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
