// This file plans the weight gradient.
#pragma once

#include "kernels/core/row_plan.h"
#include "kernels/core/workspace.h"

namespace tapconv::kernels {

// GradWeightBlocks say how a weight gradient is divided. A task computes all taps of some output channels and some
// input channels of one group, for one part of the sequence of (sample, time block) pairs.
struct GradWeightBlocks {
  bool channel_lanes;       // lanes are output channels; else they are times
  int64_t reduction_parts;  // of the sums over samples and times; depends on the problem alone
  int64_t steps;            // (sample, time block) pairs, divided evenly among the parts
  int64_t gradient_block;   // outputs whose gradient is transposed at a time (channel lanes)
  int64_t out_lanes;        // output channels of a task, rounded up to whole vectors with channel lanes
  size_t slot_gradient_at;
  size_t slot_sums_at;
  size_t slot_repaired_at;  // products that were not transformed (grad_weight_tile_repair.h), like the sums
  size_t slot_left_out_at;  // for each tile of a block, a byte for each segment of each channel
  size_t slot_bias_at;      // one sum of grad_output for each output channel of a task, in a vector of lanes each
  size_t parts_at;          // [part][out_channel][in_channel][tap], in the compute type
  size_t bias_parts_at;     // [part][out_channel]
};

// In this plan, out_block counts output channels.
struct GradWeightPlan : RowPlan {
  GradWeightBlocks grad_weight;
};

// Plans the sums of outputs and inputs themselves, without transforms.
GradWeightPlan plan_direct_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots);

// Plans with transforms share what follows.

// Says whether there is no weight to have a gradient.
bool has_no_weights(const Problem& problem);

// Says whether lanes are output channels, which they are unless most of them would stay empty.
bool has_channel_lanes(const Problem& problem, const InstructionSet& instruction_set);

// Chooses the number of parts, and divides the work, whose blocks of channels were chosen, among the plan's slots.
void divide_grad_weight(GradWeightPlan& plan);

// Makes room for the parts' sums.
void reserve_grad_weight_parts(GradWeightPlan& plan, Workspace& workspace);

}  // namespace tapconv::kernels
