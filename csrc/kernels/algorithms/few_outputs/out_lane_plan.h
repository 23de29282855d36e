// Plans of sums whose lanes are output channels (out_lanes.h).
#pragma once

#include "kernels/core/answer.h"
#include "kernels/core/row_plan.h"

namespace tapconv::kernels {

// The weights were packed before the call (packed/packed_weight.h). tile_rows counts outputs, and out_block vectors of
// output channels.
struct OutLanePlan : RowPlan {
  int64_t partial_stride;  // between the sums of neighbouring outputs
  size_t slot_partial_at;
};

Answer<OutLanePlan> plan_out_lanes(const Problem& problem, const InstructionSet& instruction_set, int slots);

// Bytes of the weights that such plans want, whatever the length.
int64_t out_lane_weight_bytes(const Problem& problem, const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
