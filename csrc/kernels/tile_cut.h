// Cutting rows into tiles of one transform: what the tile forms of the sum and of the weight gradient share.
#pragma once

#include "blocking.h"
#include "plan.h"
#include "tile_transforms.h"

namespace tapconv::kernels {

// Fills in the segments of the rows and the tiles' taps, outputs, channels, phases and numbers. False if the problem
// cannot be cut so: no input channel, a single tap, taps as long as a tile or other than the transform takes, or a
// dilation longer than the output.
inline bool cut_into_tiles(const Problem& p, const TileTransformShape& shape, RowLayout& rows, TileBlocks& tiles) {
  const int64_t group_in = p.in_channels / p.groups;
  if (p.batch == 0 || p.out_channels == 0 || p.output_length == 0 || p.kernel_size < 2 || group_in == 0) return false;
  const int64_t common = std::gcd(p.stride, p.dilation);
  rows.segment_count = std::min(p.kernel_size, p.stride / common);
  rows.taps_per_segment = divide_up(p.kernel_size, rows.segment_count);
  rows.tap_distance = p.dilation / common;
  tiles.taps = rows.taps_per_segment;
  if (shape.taps != 0 && tiles.taps != shape.taps) return false;
  tiles.outputs = shape.size - tiles.taps + 1;
  tiles.channels = group_in * rows.segment_count;
  tiles.phases = rows.tap_distance;
  if (tiles.taps < 2 || tiles.outputs < 2 || tiles.phases > p.output_length) return false;
  tiles.tiles_per_phase = divide_up(divide_up(p.output_length, tiles.phases), tiles.outputs);
  tiles.tile_count = p.batch * tiles.tiles_per_phase * tiles.phases;
  return true;
}

// The longest rows that a block of tiles reads, all samples together.
inline int64_t block_row_elements(const Problem& p, const TileBlocks& tiles, int64_t block_tiles) {
  const int64_t count = std::min(block_tiles, tiles.tile_count);
  const int64_t pairs = std::min((count + tiles.phases - 2) / tiles.phases + 1, count);  // of sample and tile
  const int64_t samples = std::min((pairs + tiles.tiles_per_phase - 2) / tiles.tiles_per_phase + 1, p.batch);
  return (pairs * tiles.outputs + samples * (tiles.taps - 1)) * tiles.phases;
}

}  // namespace tapconv::kernels
