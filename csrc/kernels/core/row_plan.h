// RowPlan is what plans have in common whose algorithms copy input channels as rows and sum over them block by block.
#pragma once

#include "call.h"
#include "row_layout.h"

namespace tapconv::kernels {

// Each algorithm divides its work into some of these blocks, and says in its own plan what it counts in out_block.
struct RowPlan : Call {
  // A register tile has at most `tile_rows` output channels. Those of a group are split evenly among its tiles.
  int tile_rows;
  int64_t tile_row_count;  // tiles needed for the output channels of a group

  // These are the rows of input channels that are walked over at a time, and the outputs that they serve.
  int64_t channel_block;
  int64_t channel_block_count;
  int64_t time_block;
  int64_t time_block_count;
  int64_t out_block;
  int64_t out_block_count;
  bool folded;  // a row holds the outputs of all samples one after the other, in a segment for each tap
  RowLayout rows;

  size_t offset_table_at;  // where each (channel, tap) pair of a block of channels begins in the rows
};

}  // namespace tapconv::kernels
