// What was decided: algorithm, blocks, workspace, tasks. Data only; planner.cpp decides, algorithms/ carry it out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "problem.h"

namespace tapconv::kernels {

struct InstructionSet;

enum class Algorithm : uint8_t { empty, tap };

constexpr const char* name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::empty:
      return "empty";
    case Algorithm::tap:
      return "tap";
  }
  return "unknown";
}

// How an input channel is laid out as a row: segments of evenly spaced samples, so that what one tap reads for
// consecutive outputs is contiguous. Tap k reads segment k % segment_count from element (k / segment_count) *
// tap_distance. There is one segment for each stride phase that some tap reads or, where the dilation is so long that
// phases would mostly hold samples nobody reads, one for each tap.
struct RowLayout {
  int64_t segment_count;
  int64_t taps_per_segment;  // at the most
  int64_t tap_distance;      // between neighbouring taps of a segment, in row elements
  int64_t segment_length;    // row elements, including the slack that the last vector of a tile reads
  int64_t row_length;        // all segments; an odd number of cache lines, so that rows spread over all cache sets
};

struct Plan {
  Problem problem;
  int64_t weight_group_stride;  // between the weights of neighbouring groups, in elements
  const InstructionSet* instruction_set;
  Algorithm algorithm;
  int slots;  // parts that may run side by side, each with its own workspace

  // Register tile: `tile_rows` output channels at the most, split evenly over the group's output channels.
  int tile_rows;
  int64_t tile_row_count;  // tiles needed for the output channels of a group

  // Blocks: a task is one sample, one group, `out_block` tile rows and `time_block` outputs; it walks over its input
  // channels `channel_block` at a time.
  int64_t channel_block;
  int64_t time_block;
  int64_t time_block_count;
  int64_t out_block;
  int64_t out_block_count;
  int64_t task_count;
  RowLayout rows;

  bool pack_weight;     // false: the weight already lies as the tile wants it
  int64_t partial_stride;  // between the rows of a block of partial sums
  bool direct_output;   // tiles are written straight into the output, without a block of partial sums
  bool in_place_rows;   // blocks away from the borders read the input where it lies

  // Offsets into the workspace, in bytes, and its parts.
  size_t offset_table_at;
  size_t in_place_table_at;
  size_t bias_at;
  size_t packed_weight_at;
  size_t slots_at;
  size_t slot_bytes;
  size_t slot_partial_at;  // within a slot: the block of partial sums (rows come first)
  size_t workspace_bytes;

  const char* algorithm_name() const { return name_of(algorithm); }
};

}  // namespace tapconv::kernels
