// Plans of sums whose lanes are output channels (out_lanes.h).
#pragma once

#include <optional>

#include "kernels/plan.h"

namespace tapconv::kernels {

// Nothing where there are too many outputs for it, or too few output channels.
std::optional<Plan> decide_out_lanes(const Problem& problem, const InstructionSet& instruction_set, int slots);

// Bytes of the weights that such plans want, whatever the length.
int64_t out_lane_weight_bytes(const Problem& problem, const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
