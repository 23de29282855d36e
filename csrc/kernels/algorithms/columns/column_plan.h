// This file plans the gradients of a handful of outputs. Their lanes are the columns of the weight, which are
// (in_channel, tap) pairs (grad_input_columns.h, grad_weight_columns.h).
#pragma once

#include "kernels/core/answer.h"
#include "kernels/core/call.h"

namespace tapconv::kernels {

// A task is some input channels of one group.
struct ColumnPlan : Call {
  int tile_rows;           // of a register tile: outputs, or output channels for the gradient by the weight
  int64_t tile_row_count;  // tiles needed for all of them
  int64_t channel_block;
  int64_t channel_block_count;
  int64_t column_stride;  // between the columns of neighbouring outputs

  size_t offset_table_at;

  // The gradient by the input needs these.
  int64_t out_block;  // output channels whose weights are read at a time
  int64_t span;       // positions of an input channel that the taps read, and all of its samples
  size_t flag_at;     // one byte: 1 where sums are not finite
  size_t slot_sums_at;
  size_t slot_span_at;

  size_t slot_gradient_at;  // of the gradient by the weight
};

Answer<ColumnPlan> plan_grad_input_columns(const Problem& problem, const InstructionSet& instruction_set, int slots);
Answer<ColumnPlan> plan_grad_weight_columns(const Problem& problem, const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
