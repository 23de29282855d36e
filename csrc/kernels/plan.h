// What was decided: algorithm, blocks, workspace, tasks. Data only: choose.cpp and the plans of algorithms/ decide, and
// the runs of algorithms/ carry it out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/forward_variant.h"
#include "problem.h"

namespace tapconv::kernels {

struct InstructionSet;

enum class Algorithm : uint8_t {
  empty,
  tap,
  dot,
  channel_lanes,
  out_lanes,
  tiles,
  depthwise_tiles,
  grad_input_columns,
  grad_weight,
  grad_weight_tiles,
  grad_weight_depthwise_tiles,
  grad_weight_columns
};

enum class TileTransform : uint8_t {
  fourier8,
  fourier16,
  fourier32,
  fourier64,
  fourier128,
  fourier256,
  fourier512,
  winograd_two_taps,    // F(4, 2): four outputs of two taps
  winograd_three_taps,  // F(4, 3)
};

constexpr const char* name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::empty:
      return "empty";
    case Algorithm::tap:
      return "tap";
    case Algorithm::dot:
      return "dot";
    case Algorithm::channel_lanes:
      return "channel_lanes";
    case Algorithm::out_lanes:
      return "out_lanes";
    case Algorithm::tiles:
      return "tiles";
    case Algorithm::depthwise_tiles:
      return "depthwise_tiles";
    case Algorithm::grad_input_columns:
      return "grad_input_columns";
    case Algorithm::grad_weight:
      return "grad_weight";
    case Algorithm::grad_weight_tiles:
      return "grad_weight_tiles";
    case Algorithm::grad_weight_depthwise_tiles:
      return "grad_weight_depthwise_tiles";
    case Algorithm::grad_weight_columns:
      return "grad_weight_columns";
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

// Are rows that hold all samples one after the other (Plan::folded) copied by vectors, a sample for each tap at a time?
// Else they are copied piece by piece, which takes several times longer.
inline constexpr int64_t most_taps_folded_by_vectors = 16;
constexpr bool folds_by_vectors(const Problem& problem, int64_t width) {
  return problem.output_length <= width && problem.kernel_size <= most_taps_folded_by_vectors &&
         problem.padding_mode == PaddingMode::zeros && problem.stride * problem.input_strides.time == 1;
}

// How the direct sum of bfloat16 is divided where the instruction set multiplies matrices
// (algorithms/matrix/matrix_sum.h). A step multiplies some rows of pairs of samples, at most 16, with as many pairs of
// weights. A row of its own may go with each two input channels, whose taps read it at different offsets, or with each
// two of all (channel, tap) pairs in their order. Then Plan::rows, which describes one channel's samples, has a segment
// for each tap.
struct MatrixSteps {
  bool used;
  bool rows_of_taps;
  bool transposes_taps;     // pairs of taps lie side by side in memory: rows are made of them, vector by vector
  int64_t depth;            // rows of a step
  int64_t steps;            // for each tile of output channels
  int64_t steps_at_a_time;  // whose weights stay in the first-level cache
  int64_t rows;             // that all steps read; the last ones may be zeros
  int64_t row_distance;     // between rows, in pairs
  size_t slot_samples_at;   // of two input channels
};

// How a weight gradient is divided. A task computes all taps of some output channels and some input channels of one
// group, for one part of the (sample, time block) sequence.
struct GradWeightBlocks {
  bool channel_lanes;      // lanes are output channels; else they are times
  int64_t parts;           // of the sums over samples and times; depends on the problem alone
  int64_t steps;           // (sample, time block) pairs, divided evenly among the parts
  int64_t gradient_block;  // outputs whose gradient is transposed at a time (channel lanes)
  int64_t out_lanes;       // output channels of a task, rounded up to whole vectors with channel lanes
  size_t slot_gradient_at;
  size_t slot_sums_at;
  size_t slot_repaired_at;  // products that were not transformed (grad_weight_tile_repair.h), like the sums
  size_t slot_left_out_at;  // and for each tile of a block, a byte for each segment of each channel
  size_t slot_bias_at;      // one sum of grad_output for each output channel of a task, in a vector of lanes each
  size_t parts_at;          // [part][out_channel][in_channel][tap], in the compute type
  size_t bias_parts_at;     // [part][out_channel]
};

// How the tile algorithm divides its work.
enum class TileBlocking : uint8_t {
  // A task takes a block of tiles, all input and output channels of a group, with the filters transformed ahead.
  own_tiles,
  // All slots share one large block of tiles of some groups at a time, and a task takes a block of output channels,
  // whose filters it transforms itself: better where filters outnumber tiles, and where they would not stay in cache.
  shared_tiles,
  // The same with output channels in the vector lanes (algorithms/tiles/tile_filter_lanes.h), for few tiles.
  filter_lanes,
};

inline constexpr TileBlocking all_tile_blockings[] = {TileBlocking::own_tiles, TileBlocking::shared_tiles,
                                                      TileBlocking::filter_lanes};

// What was done with filters before the call.
enum class FiltersAhead : uint8_t {
  nothing,
  in_lanes,  // their taps were brought into the lanes, which TileBlocking::filter_lanes reads in memory order
  transformed,
};

// How a forward problem is cut into tiles (algorithms/tiles/tiles.h). Every phase of the dilation is an undilated row
// of its own, and every segment of a row (the phases of the stride) counts as a channel of its own.
struct TileBlocks {
  TileTransform transform;
  int64_t taps;      // of a segment
  int64_t outputs;   // that a tile yields
  int64_t channels;  // segments of all input channels of a group
  // Segments of an input channel that the last product of the transform needs: all of them for a Fourier transform. A
  // Winograd transform's is of the last tap alone, which some segments lack where the stride does not divide the taps.
  int64_t last_product_segments;
  int64_t phases;           // of the dilation
  int64_t tiles_per_phase;  // of one sample
  int64_t tile_count;       // over all samples and phases, for each group
  int64_t block_tiles;      // whole vectors; with filters in the lanes, few tiles are a power of two that divides one
  int64_t block_count;

  TileBlocking blocking;
  FiltersAhead ahead;
  int64_t shared_groups;  // of shared tiles
  // Input channels that a task multiplies, and unless tiles are shared, transforms at a time: all, unless few output
  // channels hold the sums of many input channels, whose transformed tiles would not fit in the second-level cache.
  int64_t channels_at_a_time;
  int64_t channels_together;  // input channels whose tiles share a vector: one, unless a block is less than a vector
  // How often transformed tiles are read where one slot does all: once for each block of output channels.
  int64_t tile_reads;

  // Distances, in elements.
  int64_t input_plane;   // between the products of transformed tiles
  int64_t output_plane;  // between the products of transformed outputs
  int64_t weight_plane;  // between the products of transformed filters
  int64_t weight_tile;   // between the register tiles of one product
  int64_t row_distance;  // between the rows of channels whose tiles share a vector

  size_t flags_at;     // one byte for the weights, 1 where sums may overflow; then for each group, sample and tile the
                       // bits of filter_kinds.h: what direct sums have to compute
  size_t kinds_at;     // of filters (filter_kinds.h)
  size_t peaks_at;     // for each slot and shared group one byte: 1 once the slot has seen samples of the group
  size_t fallback_at;  // workspace of the direct sum for such tiles; overlaps all that follows
  size_t shared_at;    // transformed tiles that are shared
  size_t slot_inputs_at;
  size_t slot_outputs_at;
  size_t slot_weight_at;
  size_t slot_samples_at;
  size_t slot_rows_at;
  size_t slot_peaks_at;  // for each shared group (algorithms/tiles/tile_peaks.h), and spare rows
};

// How a long depthwise filter is cut (algorithms/depthwise_tiles/depthwise_tiles.h,
// algorithms/depthwise_tiles/grad_weight_depthwise_tiles.h).
struct DepthwiseTiles {
  TileTransform transform;
  int64_t parts;            // of the filter
  int64_t part_taps;        // of all but the last
  int64_t outputs;          // of one block
  int64_t phases;           // of the dilation
  int64_t blocks;           // of outputs, in each phase of a sample
  int64_t gradient_blocks;  // of outputs whose products are added up at a time (weight gradient only)
  int64_t ring;             // spectra of inputs that a task holds
  int64_t lane_groups;      // vectors of output channels
  int64_t sample_parts;     // tasks for each lane group: ranges of samples
  int64_t time_parts;       // and of output blocks

  int64_t piece;       // samples of which the largest is kept (algorithms/depthwise_tiles/depthwise_peaks.h)
  int64_t repair_row;  // elements of each row that channels are looked at one by one in

  size_t kinds_at;     // of filters (filter_kinds.h)
  size_t flags_at;     // for the weight gradient, one byte: 1 where sums may overflow
  size_t fallback_at;  // and workspace to compute it without transforms
  size_t slot_filters_at;
  size_t slot_inputs_at;
  size_t slot_sums_at;
  size_t slot_samples_at;  // of inputs
  size_t slot_lanes_at;    // samples of filters, gradients and outputs
  size_t slot_rows_at;
  size_t slot_pointers_at;
  size_t slot_peaks_at;
  size_t slot_repair_at;
  size_t slot_seen_at;  // weight gradient only
};

// The input gradient of a handful of outputs (algorithms/few_outputs/grad_input_columns.h). out_block counts output
// channels whose weights are read at a time, and tile_rows outputs.
struct ColumnSums {
  int64_t span;    // positions of an input channel that the taps read, and all of its samples
  size_t flag_at;  // one byte: 1 where sums are not finite
  size_t slot_span_at;
};

// Output blocks of a long depthwise filter that are summed at a time.
inline constexpr int depthwise_tiles_together = 4;

// Blocks of grad_output whose products with a long depthwise filter's input are added up in registers.
inline constexpr int64_t gradient_blocks_together = 8;

// The most tiles of a block.
inline constexpr int largest_tile_block = 512;

// With filters in the lanes, tiles are transformed back together until they have about so many outputs.
inline constexpr int64_t filter_lane_times = 128;

constexpr bool shares_tiles(const TileBlocks& tiles) { return tiles.blocking != TileBlocking::own_tiles; }
constexpr bool has_filter_lanes(const TileBlocks& tiles) { return tiles.blocking == TileBlocking::filter_lanes; }

struct Plan {
  Problem problem;
  ForwardVariant variant;
  const InstructionSet* instruction_set;
  Algorithm algorithm;
  int slots;  // parts that may run side by side, each with its own workspace

  // Register tile: `tile_rows` output channels at the most, split evenly over the group's output channels.
  int tile_rows;
  int64_t tile_row_count;  // tiles needed for the output channels of a group

  // Blocks: a task is one sample, one group, `out_block` tile rows and `time_block` outputs; it walks over the rows of
  // its input channels `channel_block` at a time.
  int row_channels;  // input channels that share a row: two where the instruction set multiplies pairs of 16-bit
                     // numbers
  int64_t channel_block;
  int64_t channel_block_count;
  int64_t time_block;
  int64_t time_block_count;
  int64_t out_block;
  int64_t out_block_count;
  int64_t task_count;
  bool folded;  // a row holds the outputs of all samples one after the other, in a segment for each tap
  RowLayout rows;

  MatrixSteps matrix;      // then tile_rows counts the output channels of one matrix tile
  bool depthwise_rows;     // depthwise filters of few taps: rows are read where they lie
  bool window_tiles;       // groups of one output channel whose taps share loaded vectors
  int short_tile_pairs;    // (channel, tap) pairs that lanes hold side by side (short_tile.h), or zero
  bool pack_weight;        // false: the weight already lies as the tile wants it
  bool weight_columns;     // it does, [in_channel][output channel] as a packed tile of a single tap
  bool packed_ahead;       // the weight was packed, or the filters transformed, before the call (packed_weight.h)
  int64_t partial_stride;  // between the rows of a block of partial sums
  bool direct_output;      // tiles are written straight into the output, without a block of partial sums

  GradWeightBlocks grad_weight;  // here out_block counts output channels
  TileBlocks tiles;
  DepthwiseTiles depthwise;
  ColumnSums column_sums;

  // Offsets into the workspace, in bytes, and its parts.
  size_t offset_table_at;
  size_t bias_at;
  size_t packed_weight_at;
  size_t slots_at;
  size_t slot_bytes;
  size_t slot_partial_at;      // within a slot: the block of partial sums (rows come first)
  size_t slot_interleaved_at;  // of short tiles
  size_t border_bytes;         // gradients of padded positions (grad_input only)
  size_t workspace_bytes;

  const char* algorithm_name() const { return name_of(algorithm); }
};

// Kinds of segments of the rows that are cut into tiles, by their taps: where the taps do not divide by the number of
// segments, some have one tap less than the others.
constexpr int peak_kinds(const Plan& plan) { return plan.problem.kernel_size % plan.rows.segment_count == 0 ? 1 : 2; }

}  // namespace tapconv::kernels
