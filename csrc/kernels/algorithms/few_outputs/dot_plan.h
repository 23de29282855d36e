// Plans for outputs so short that a vector of time would be nearly empty.
#pragma once

#include "kernels/core/answer.h"
#include "kernels/core/call.h"

namespace tapconv::kernels {

// Each output as one dot product (dot.h) of a row of weights and a column of samples.
struct DotPlan : Call {
  int64_t column_stride;  // between the columns of a block
  int64_t column_block;   // outputs, counted over all samples, whose columns are gathered at a time
  int64_t column_block_count;
  int64_t out_block;  // output channels
  int64_t out_block_count;
};

// Depthwise, with channels for lanes (channel_lanes.h).
struct ChannelLanePlan : Call {
  int64_t vector_count;  // of channels
};

Answer<DotPlan> plan_dot(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                         int slots);
Answer<ChannelLanePlan> plan_channel_lanes(const Problem& problem, const ForwardVariant& variant,
                                           const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
