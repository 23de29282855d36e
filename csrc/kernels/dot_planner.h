// When the outputs are so few that each is best computed as a dot product (algorithms/dot.h), and how.
#pragma once

#include <optional>

#include "plan.h"

namespace tapconv::kernels {

// The plan, or nothing if the problem has too many outputs or its weights do not lie in rows.
std::optional<Plan> decide_dot(const Problem& problem, const ForwardVariant& variant,
                               const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
