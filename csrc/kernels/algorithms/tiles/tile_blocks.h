// This file says how rows are cut into tiles of one transform, and tiles into blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/algorithms/transforms/tile_transforms.h"

namespace tapconv::kernels {

// The tile algorithm divides its work in one of these ways.
enum class TileBlocking : uint8_t {
  // A task takes a block of tiles, all input and output channels of a group, with the filters transformed ahead.
  private_tiles,
  // All slots share one large block of tiles of some groups at a time, and a task takes a block of output channels,
  // whose filters it transforms itself. This is better where filters outnumber tiles, and where they would not stay in
  // cache.
  shared_tiles,
  // Slots share tiles as above, with output channels in the vector lanes (algorithms/tiles/tile_filter_lanes.h). This
  // is for few tiles.
  filter_lanes,
};

inline constexpr TileBlocking all_tile_blockings[] = {TileBlocking::private_tiles, TileBlocking::shared_tiles,
                                                      TileBlocking::filter_lanes};

// FilterLayout says how transformed filters lie.
struct FilterLayout {
  TileTransform transform;
  bool lanes;  // as TileBlocking::filter_lanes wants them

  bool operator==(const FilterLayout&) const = default;
};

// FiltersAhead says what was done with filters before the call.
enum class FiltersAhead : uint8_t {
  nothing,
  in_lanes,  // their taps were brought into the lanes, which TileBlocking::filter_lanes reads in memory order
  transformed,
};

// TileBlocks say how a forward problem is cut into tiles (algorithms/tiles/tiles.h). Every phase of the dilation is an
// undilated row of its own, and every segment of a row (a phase of the stride) counts as a channel of its own.
struct TileBlocks {
  TileTransform transform;
  int64_t taps;      // of a segment
  int64_t outputs;   // that a tile yields
  int64_t channels;  // segments of all input channels of a group
  // So many segments of an input channel are needed by the last product of the transform. A Fourier transform needs all
  // of them. The last product of a Winograd transform is of the last tap alone, which some segments lack where the
  // stride does not divide the taps.
  int64_t last_product_segments;
  int64_t dilation_phases;
  int64_t tiles_per_phase;  // of one sample
  int64_t tile_count;       // over all samples and phases, for each group
  int64_t block_tiles;      // whole vectors; with filters in the lanes, few tiles are a power of two that divides one
  int64_t block_count;

  TileBlocking blocking;
  FiltersAhead ahead;
  int64_t shared_groups;  // groups whose tiles are shared at a time
  // A task multiplies so many input channels at a time, and unless tiles are shared, transforms them. These are all
  // channels, unless few output channels hold the sums of many input channels, whose transformed tiles would not fit in
  // the second-level cache.
  int64_t channels_at_a_time;
  int64_t channels_together;  // input channels whose tiles share a vector: one, unless a block is less than a vector
  // Transformed tiles are read so often where one slot does all: once for each block of output channels.
  int64_t tile_reads;

  // These distances are in elements.
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

// A block has at most so many tiles.
inline constexpr int largest_tile_block = 512;

// With filters in the lanes, tiles are transformed back together until they have about so many outputs.
inline constexpr int64_t filter_lane_times = 128;

constexpr bool shares_tiles(const TileBlocks& tiles) { return tiles.blocking != TileBlocking::private_tiles; }
constexpr bool has_filter_lanes(const TileBlocks& tiles) { return tiles.blocking == TileBlocking::filter_lanes; }

}  // namespace tapconv::kernels
