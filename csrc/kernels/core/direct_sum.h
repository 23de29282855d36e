// The plan of a direct sum. Register tiles (algorithms/direct) or matrix tiles (algorithms/matrix) carry it out, either
// for itself or where an algorithm with transforms meets numbers that must not be transformed.
#pragma once

#include "row_plan.h"

namespace tapconv::kernels {

// MatrixSteps says how the direct sum of bfloat16 is divided where the instruction set multiplies matrices
// (algorithms/matrix/matrix_sum.h). A step multiplies some rows of pairs of samples, at most 16, with as many pairs of
// weights. There are two kinds of rows. Either each two input channels have a row, which their taps read at different
// offsets, or each two (channel, tap) pairs have one, in their order; then RowPlan::rows, which describes one channel's
// samples, has a segment for each tap.
struct MatrixSteps {
  bool used;
  bool rows_of_taps;
  bool transposes_taps;     // pairs of taps lie side by side in memory: rows are made of them, vector by vector
  int64_t depth;            // rows of a step
  int64_t steps;            // for each tile of output channels
  int64_t steps_at_a_time;  // as many as keep their weights in the first-level cache
  int64_t rows;             // of all steps; the last ones may be zeros
  int64_t row_distance;     // between rows, in pairs
  size_t slot_samples_at;   // of two input channels
};

// A task is one sample, one group, `out_block` register tiles and `time_block` outputs; it walks over the rows of its
// input channels `channel_block` at a time.
struct DirectPlan : RowPlan {
  MatrixSteps matrix;      // if used, tile_rows counts the output channels of one matrix tile
  int row_channels;        // input channels that share a row: two where the instruction set multiplies pairs of 16-bit
                           // numbers
  bool depthwise_rows;     // depthwise filters of few taps: rows are read where they lie
  bool window_tiles;       // groups of one output channel whose taps share loaded vectors
  int short_tile_pairs;    // (channel, tap) pairs that lanes hold side by side (short_tile.h), or zero
  bool pack_weight;        // false if the weight already lies as the tile wants it
  bool weight_columns;     // true if it lies so as [in_channel][output channel], a packed tile of a single tap
  bool packed_ahead;       // the weight was packed before the call (packed/packed_weight.h)
  int64_t partial_stride;  // between the rows of a block of partial sums
  bool direct_output;      // tiles are written straight into the output, without a block of partial sums

  size_t bias_at;
  size_t packed_weight_at;
  size_t slot_partial_at;      // within a slot: the block of partial sums (rows come first)
  size_t slot_interleaved_at;  // of short tiles
};

}  // namespace tapconv::kernels
