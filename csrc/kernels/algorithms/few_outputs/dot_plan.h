// Plans for outputs so short that a vector of time would be nearly empty.
#pragma once

#include <optional>

#include "kernels/plan.h"

namespace tapconv::kernels {

// Each output as one dot product (dot.h), or depthwise with channels for lanes (channel_lanes.h).
// Nothing if the output is too long, or the weights do not lie in rows.
std::optional<Plan> decide_short(const Problem& problem, const ForwardVariant& variant,
                                 const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
