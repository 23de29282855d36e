// Between rows and tiles: this file knows where the tiles of a block lie in rows and outputs, and copies from rows to
// lanes and from lanes to outputs.
#pragma once

#include "kernels/core/call.h"
#include "kernels/core/integers.h"
#include "kernels/numbers/storage.h"
#include "kernels/rows/rows.h"
#include "tile_blocks.h"

namespace tapconv::kernels {
namespace {

// A run is a stretch of one sample's row that tiles of a block read.
struct TileRun {
  int64_t sample;
  int64_t first;  // row element
  int64_t count;
  int64_t at;  // in the buffer of rows
};

// TileLanes are the tiles of a block, one for each lane.
struct TileLanes {
  int count;
  int run_count;
  int64_t row_length;  // of all runs
  TileRun runs[largest_tile_block];
  int32_t row_at[largest_tile_block];  // the tile's first element in the buffer of rows
  int32_t piece[largest_tile_block];   // lanes from here on whose tiles are neighbouring phases, this one included
  // The tile's first output is counted from the channel of the first sample or, if outputs are to be spread, in the
  // buffer of rows.
  int64_t output_at[largest_tile_block];
  int64_t left[largest_tile_block];  // outputs from there to the end of the sample, all phases

  void locate(const Call& call, const TileBlocks& blocks, int64_t block, int width) {
    const Problem& p = call.problem;
    const int64_t first = block * blocks.block_tiles;
    const int64_t end = min(first + blocks.block_tiles, blocks.tile_count);
    const int64_t size = blocks.outputs + blocks.taps - 1;
    const bool in_order = writes_in_order(p, call.variant);
    count = static_cast<int>(end - first);
    run_count = 0;
    row_length = 0;
    int64_t sample = first / (blocks.tiles_per_phase * blocks.dilation_phases);
    int64_t tile = first / blocks.dilation_phases % blocks.tiles_per_phase;
    int64_t phase = first % blocks.dilation_phases;
    TileRun* run = nullptr;
    for (int lane = 0; lane < count; ++lane) {
      const int64_t element = tile * blocks.outputs * blocks.dilation_phases + phase;
      if (run == nullptr || run->sample != sample) {
        run = &runs[run_count++];
        *run = {sample, element - phase, 0, row_length};
      }
      row_at[lane] = static_cast<int32_t>(run->at + element - run->first);
      output_at[lane] = in_order ? sample * p.output_strides.batch + element * p.output_strides.time : row_at[lane];
      left[lane] = p.output_length - element;
      const int64_t in_vector = width - lane % width;
      piece[lane] = static_cast<int32_t>(min(blocks.dilation_phases - phase, in_vector));
      if (piece[lane] > count - lane) piece[lane] = count - lane;
      run->count = element - phase + size * blocks.dilation_phases - run->first;
      row_length = run->at + run->count;
      if (++phase < blocks.dilation_phases) continue;
      phase = 0;
      if (++tile < blocks.tiles_per_phase) continue;
      tile = 0;
      ++sample;
    }
  }
};

// Copies a segment of an input channel, as the tiles of a block read it, and zeros to the end of a vector.
template <class Vector, class Storage>
void copy_tile_row(const Problem& problem, const TileLanes& lanes, const Storage* channel, int64_t segment,
                   typename Vector::Scalar* row) {
  for (int r = 0; r < lanes.run_count; ++r) {
    const TileRun& run = lanes.runs[r];
    const int64_t position = run.first * problem.stride + segment * problem.dilation - problem.padding_left;
    copy_segment<Vector>(problem, channel + run.sample * problem.input_strides.batch, position, run.count,
                         row + run.at);
  }
  fill_zeros<Vector>(row + lanes.row_length, -lanes.row_length & (Vector::width - 1));
}

// Gathers the samples of as many neighbouring tiles of four outputs as a vector has lanes. A tile's fifth sample is the
// next one's first.
template <class Vector>
void gather_quads(const typename Vector::Scalar* row, int size, typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  const typename Vector::Scalar* from[width];
#pragma GCC unroll 16
  for (int l = 0; l < width; ++l) from[l] = row + 4 * l;
  typename Vector::Register r[4];
  Vector::load_quads(from, 0, r);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) Vector::store(samples + j * width, r[j]);
  if constexpr (FixedShiftingVector<Vector>) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      if (4 + j >= size) return;
      Vector::store(samples + (4 + j) * width,
                    Vector::template shifted_by<1>(r[j], Vector::broadcast(row[4 * width + j])));
    }
  } else {
    Vector::load_quads(from, 4, r);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) Vector::store(samples + (4 + j) * width, r[j]);
  }
}

// Gathers the `size` samples from each of `width` places on.
template <class Vector>
void gather_samples(const typename Vector::Scalar* const* from, int size, typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  if constexpr (QuadVector<Vector>) {
    if (size <= 8) {
      for (int i = 0; i < size; i += 4) {
        typename Vector::Register r[4];
        Vector::load_quads(from, i, r);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) Vector::store(samples + (i + j) * width, r[j]);
      }
      return;
    }
  }
  for (int i = 0; i < size; i += width) {
    typename Vector::Register r[width];
#pragma GCC unroll 16
    for (int l = 0; l < width; ++l) r[l] = Vector::load(from[l] + i);
    Vector::transpose(r);
#pragma GCC unroll 16
    for (int l = 0; l < width; ++l) Vector::store(samples + (i + l) * width, r[l]);
  }
}

// Gathers the samples of `width` tiles from lane `lane` on, undilated.
template <class Vector>
void gather_tiles(const TileLanes& lanes, int lane, const typename Vector::Scalar* rows, int size,
                  typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  if constexpr (QuadVector<Vector>) {
    const int32_t* const at = lanes.row_at + lane;
    if (size <= 8 && lane + width <= lanes.count && at[1] - at[0] == 4 && at[width - 1] - at[0] == 4 * (width - 1)) {
      return gather_quads<Vector>(rows + at[0], size, samples);
    }
  }
  const typename Vector::Scalar* from[width];
  for (int l = 0; l < width; ++l) from[l] = rows + lanes.row_at[lane + l < lanes.count ? lane + l : lane];
  gather_samples<Vector>(from, size, samples);
}

// Gathers those of fewer tiles, of as many input channels as fill the lanes. Their rows lie `row_distance` apart.
template <class Vector>
void gather_channels(const TileLanes& lanes, int64_t tiles, const typename Vector::Scalar* rows, int64_t row_distance,
                     int size, typename Vector::Scalar* samples) {
  const typename Vector::Scalar* from[Vector::width];
  for (int l = 0; l < Vector::width; ++l) {
    const int64_t tile = l % tiles;
    from[l] = rows + l / tiles * row_distance + lanes.row_at[tile < lanes.count ? tile : 0];
  }
  gather_samples<Vector>(from, size, samples);
}

// Gathers them with dilation: neighbouring phases are neighbours in the row, and lie in pieces of a vector.
template <class Vector>
void gather_phases(const TileLanes& lanes, int lane, const typename Vector::Scalar* rows, int64_t phases, int size,
                   typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  const int end = static_cast<int>(min(lanes.count - lane, width));
  for (int l = 0; l < end; l += lanes.piece[lane + l]) {
    const typename Vector::Scalar* from = rows + lanes.row_at[lane + l];
    const int piece = lanes.piece[lane + l];
    if (l == 0) {
      for (int i = 0; i < size; ++i, from += phases) Vector::store(samples + i * width, Vector::load(from));
    } else {
      for (int i = 0; i < size; ++i, from += phases) {
        Vector::store(samples + i * width, Vector::load_lanes(Vector::load(samples + i * width), from, l, piece));
      }
    }
  }
}

// Asks for the cache lines that the outputs of `width` tiles go to, ahead of the transform that makes them. Every
// output channel begins far from the last one, where no hardware prefetcher looks.
template <class Storage>
void prefetch_outputs(const TileLanes& lanes, int lane, int width, int64_t outputs, int64_t phases,
                      const Storage* output) {
  constexpr int64_t line = 64 / sizeof(Storage);
  const int end = static_cast<int>(min(lanes.count - lane, width));
  const int tiles_per_line = static_cast<int>(outputs < line ? line / outputs : 1);
  for (int l = 0; l < end; l += phases == 1 ? tiles_per_line : lanes.piece[lane + l]) {
    const Storage* const to = output + lanes.output_at[lane + l];
    for (int64_t i = 0; i < (outputs - 1) * phases; i += line) __builtin_prefetch(to + i, 1);
  }
}

template <class Vector, class Storage>
void store_outputs(Storage* to, int64_t distance, typename Vector::Register values, int64_t count) {
  if (distance == 1) {
    if (count >= Vector::width) {
      Vector::store(to, values);
    } else if (count > 0) {
      Vector::store_partial(to, values, static_cast<int>(count));
    }
    return;
  }
  typename Vector::Scalar lanes[Vector::width];
  Vector::store(lanes, values);
  for (int64_t i = 0; i < count && i < Vector::width; ++i) narrow(lanes[i], &to[i * distance]);
}

// Writes up to four outputs each of `width` tiles from lane `lane` on.
template <class Vector, class Storage>
void scatter_quads(const TileLanes& lanes, int lane, const typename Vector::Scalar* samples, int64_t outputs,
                   int64_t distance, Storage* output) {
  constexpr int width = Vector::width;
  typename Vector::Register r[4];
  typename Vector::Register quads[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r[i] = Vector::load(samples + i * width);
  Vector::join_quads(r, quads);
  const int64_t first = lanes.output_at[lane];
  const bool adjoining = outputs == 4 && distance == 1 && lane + width <= lanes.count &&
                         lanes.left[lane] >= 4 * width && lanes.output_at[lane + width - 1] - first == 4 * (width - 1);
  if (adjoining) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) Vector::store(output + first + i * width, quads[i]);
    return;
  }
  typename Vector::Scalar tiles[5 * width];  // with room to load a vector from the last tile
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) Vector::store(tiles + i * width, quads[i]);
  for (int l = 0; l < width && lane + l < lanes.count; ++l) {
    const int64_t count = lanes.left[lane + l] < outputs ? lanes.left[lane + l] : outputs;
    store_outputs<Vector>(output + lanes.output_at[lane + l], distance, Vector::load(tiles + 4 * l), count);
  }
}

// Writes the outputs of `width` tiles from lane `lane` on.
template <class Vector, class Storage>
void scatter_tiles(const TileLanes& lanes, int lane, const typename Vector::Scalar* samples, int64_t outputs,
                   int64_t distance, Storage* output) {
  constexpr int width = Vector::width;
  if constexpr (QuadVector<Vector>) {
    if (outputs <= 4) return scatter_quads<Vector>(lanes, lane, samples, outputs, distance, output);
  }
  const int end = static_cast<int>(min(lanes.count - lane, width));
  for (int64_t i = 0; i < outputs; i += width) {
    typename Vector::Register r[width];
#pragma GCC unroll 16
    for (int l = 0; l < width; ++l) r[l] = Vector::load(samples + (i + l) * width);
    Vector::transpose(r);
    for (int l = 0; l < end; ++l) {
      const int64_t left = lanes.left[lane + l] < outputs ? lanes.left[lane + l] : outputs;
      store_outputs<Vector>(output + lanes.output_at[lane + l] + i * distance, distance, r[l], left - i);
    }
  }
}

// Writes the outputs of lanes [lane, lane + piece), whose phases are neighbours. `left` outputs lie before the end of
// the sample.
template <class Vector, class Storage>
void scatter_piece(const typename Vector::Scalar* samples, int lane, int piece, int64_t outputs, int64_t left,
                   int64_t phases, int64_t distance, Storage* to) {
  constexpr int width = Vector::width;
  int64_t i = 0;
  if (distance == 1) {
    for (; i < outputs && left >= piece; ++i, left -= phases, to += phases) {
      Vector::store_lanes(to, Vector::load(samples + i * width), lane, piece);
    }
  }
  for (; i < outputs && left > 0; ++i, left -= phases, to += phases * distance) {
    for (int l = 0; l < piece && l < left; ++l) narrow(samples[i * width + lane + l], &to[l * distance]);
  }
}

template <class Vector, class Storage>
void scatter_phases(const TileLanes& lanes, int lane, const typename Vector::Scalar* samples, int64_t outputs,
                    int64_t phases, int64_t distance, Storage* output) {
  const int end = lanes.count - lane < Vector::width ? lanes.count - lane : Vector::width;
  for (int l = 0; l < end; l += lanes.piece[lane + l]) {
    scatter_piece<Vector>(samples, l, lanes.piece[lane + l], outputs, lanes.left[lane + l], phases, distance,
                          output + lanes.output_at[lane + l]);
  }
}

}  // namespace
}  // namespace tapconv::kernels
