// This file cuts rows into tiles of one transform, which the tile forms of the sum and of the weight gradient share.
#pragma once

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/blocking.h"
#include "kernels/core/row_layout.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "tile_blocks.h"

namespace tapconv::kernels {

// Returns the segments of rows that are cut into tiles.
inline RowLayout rows_of_tiles(const Problem& p) {
  const int64_t common = std::gcd(p.stride, p.dilation);
  RowLayout rows{};
  rows.segment_count = std::min(p.kernel_size, p.stride / common);
  rows.taps_per_segment = ceil_div(p.kernel_size, rows.segment_count);
  rows.tap_distance = p.dilation / common;
  return rows;
}

// Fills in the segments of the rows and the taps, outputs and channels of the tiles, which is what filters depend on.
// Returns false if the problem cannot be cut so: if there is no input channel, a single tap, or as many taps as a tile
// has samples, or other than the transform takes.
inline bool cut_taps(const Problem& p, const TileTransformShape& shape, RowLayout& rows, TileBlocks& tiles) {
  const int64_t group_in = p.in_channels / p.groups;
  if (p.out_channels == 0 || p.kernel_size < 2 || group_in == 0) return false;
  rows = rows_of_tiles(p);
  tiles.taps = rows.taps_per_segment;
  if (shape.taps != 0 && tiles.taps != shape.taps) return false;
  tiles.outputs = shape.size - tiles.taps + 1;
  tiles.channels = group_in * rows.segment_count;
  const int64_t long_segments = p.kernel_size - (tiles.taps - 1) * rows.segment_count;
  tiles.last_product_segments = shape.taps == 0 ? rows.segment_count : long_segments;
  return tiles.taps >= 2 && tiles.outputs >= 2;
}

// Fills in the same, and the phases and numbers of the tiles. Returns false also without outputs, or with a dilation
// longer than the output.
inline bool cut_into_tiles(const Problem& p, const TileTransformShape& shape, RowLayout& rows, TileBlocks& tiles) {
  if (p.batch == 0 || p.output_length == 0 || !cut_taps(p, shape, rows, tiles)) return false;
  tiles.dilation_phases = rows.tap_distance;
  if (tiles.dilation_phases > p.output_length) return false;
  tiles.tiles_per_phase = ceil_div(ceil_div(p.output_length, tiles.dilation_phases), tiles.outputs);
  tiles.tile_count = p.batch * tiles.tiles_per_phase * tiles.dilation_phases;
  return true;
}

// OutChannelSplit says how the output channels of a group are divided: into register tiles of so many rows at the most
// or, with filters in the lanes, into panels of whole vectors.
struct OutChannelSplit {
  int64_t tile_row_count;
  int tile_rows;
};

// Says whether filters can be in the lanes. They cannot where output channels are no whole vectors, nor with phases or
// segments, whose rows are not read or written in vectors of their own.
inline bool fits_filter_lanes(const Problem& p, const RowLayout& rows, int64_t width) {
  return p.in_channels >= p.groups && p.out_channels / p.groups % width == 0 && rows.tap_distance == 1 &&
         rows.segment_count == 1;
}

inline OutChannelSplit split_out_channels(const Problem& p, const InstructionSet& instruction_set, bool filter_lanes) {
  const RegisterTiles& tiles = register_tiles(instruction_set.register_count);
  const int64_t unit = filter_lanes ? instruction_set.vector_bytes / compute_bytes(p.data_type) : 1;
  const int64_t units = p.out_channels / p.groups / unit;
  const int64_t count = ceil_div(units, filter_lanes ? tiles.columns[tiles.rows] : tiles.rows);
  return {count, static_cast<int>(ceil_div(units, count) * unit)};
}

// Returns how many elements lie between the products of transformed tiles or filters: an odd number of cache lines, so
// that they spread over all cache sets.
inline int64_t plane_of(int64_t elements, int64_t line) { return (ceil_div(elements, line) | 1) * line; }

// Transformed filters lie as [group][product][register tile or panel][segment][channel][tile row]. The first function
// returns the elements between register tiles, in whole vectors, of which each segment writes at least one. The second
// returns those between products.
inline int64_t filter_tile(int64_t group_in, int64_t segments, int64_t tile_rows, int64_t width) {
  const int64_t segment = tile_rows * group_in;
  return rounded_up((segments - 1) * segment + std::max(segment, width), width);
}
inline int64_t filter_plane(int64_t tile, int64_t tile_count, int64_t line) {
  return plane_of(tile_count * tile, line);
}

// Returns the length of the longest rows that a block of tiles reads, all samples together.
inline int64_t block_row_elements(const Problem& p, const TileBlocks& tiles, int64_t block_tiles) {
  const int64_t count = std::min(block_tiles, tiles.tile_count);
  const int64_t pairs =
      std::min((count + tiles.dilation_phases - 2) / tiles.dilation_phases + 1, count);  // of sample and tile
  const int64_t samples = std::min((pairs + tiles.tiles_per_phase - 2) / tiles.tiles_per_phase + 1, p.batch);
  return (pairs * tiles.outputs + samples * (tiles.taps - 1)) * tiles.dilation_phases;
}

}  // namespace tapconv::kernels
