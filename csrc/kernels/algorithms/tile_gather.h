// Between rows and tiles: where the tiles of a block lie in rows and outputs, and the copies from rows to lanes and
// from lanes to outputs.
#pragma once

#include "../plan.h"
#include "../storage.h"

namespace tapconv::kernels {
namespace {

// A stretch of one sample's row that tiles of a block read.
struct TileRun {
  int64_t sample;
  int64_t first;  // row element
  int64_t count;
  int64_t at;  // in the buffer of rows
};

// The tiles of a block, one for each lane.
struct TileLanes {
  int count;
  int run_count;
  int64_t row_length;  // of all runs
  TileRun runs[largest_tile_block];
  int32_t row_at[largest_tile_block];     // the tile's first element in the buffer of rows
  int32_t piece[largest_tile_block];      // lanes from here on whose tiles are neighbouring phases, this one included
  int64_t output_at[largest_tile_block];  // the tile's first output, from the channel of the first sample
  int64_t left[largest_tile_block];       // outputs from there to the end of the sample, all phases

  void locate(const Plan& plan, int64_t block, int width) {
    const Problem& p = plan.problem;
    const TileBlocks& blocks = plan.tiles;
    const int64_t first = block * blocks.block_tiles;
    const int64_t end = first + blocks.block_tiles < blocks.tile_count ? first + blocks.block_tiles : blocks.tile_count;
    const int64_t size = blocks.outputs + blocks.taps - 1;
    count = static_cast<int>(end - first);
    run_count = 0;
    row_length = 0;
    int64_t sample = first / (blocks.tiles_per_phase * blocks.phases);
    int64_t tile = first / blocks.phases % blocks.tiles_per_phase;
    int64_t phase = first % blocks.phases;
    TileRun* run = nullptr;
    for (int lane = 0; lane < count; ++lane) {
      const int64_t element = tile * blocks.outputs * blocks.phases + phase;
      if (run == nullptr || run->sample != sample) {
        run = &runs[run_count++];
        *run = {sample, element - phase, 0, row_length};
      }
      row_at[lane] = static_cast<int32_t>(run->at + element - run->first);
      output_at[lane] = sample * p.output_strides.batch + element * p.output_strides.time;
      left[lane] = p.output_length - element;
      const int64_t in_vector = width - lane % width;
      piece[lane] = static_cast<int32_t>(blocks.phases - phase < in_vector ? blocks.phases - phase : in_vector);
      if (piece[lane] > count - lane) piece[lane] = count - lane;
      run->count = element - phase + size * blocks.phases - run->first;
      row_length = run->at + run->count;
      if (++phase < blocks.phases) continue;
      phase = 0;
      if (++tile < blocks.tiles_per_phase) continue;
      tile = 0;
      ++sample;
    }
  }
};

// The samples of `width` tiles from lane `lane` on, undilated.
template <class Vector>
void gather_tiles(const TileLanes& lanes, int lane, const typename Vector::Scalar* rows, int size,
                  typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  const typename Vector::Scalar* from[width];
  for (int l = 0; l < width; ++l) from[l] = rows + lanes.row_at[lane + l < lanes.count ? lane + l : lane];
  for (int i = 0; i < size; i += width) {
    typename Vector::Register r[width];
#pragma GCC unroll 16
    for (int l = 0; l < width; ++l) r[l] = Vector::load(from[l] + i);
    Vector::transpose(r);
#pragma GCC unroll 16
    for (int l = 0; l < width; ++l) Vector::store(samples + (i + l) * width, r[l]);
  }
}

// The same with dilation: neighbouring phases are neighbours in the row. Each piece is stored as a whole vector, whose
// surplus the next piece overwrites.
template <class Vector>
void gather_phases(const TileLanes& lanes, int lane, const typename Vector::Scalar* rows, int64_t phases, int size,
                   typename Vector::Scalar* samples) {
  constexpr int width = Vector::width;
  const int end = lanes.count - lane < width ? lanes.count - lane : width;
  for (int i = 0; i < size; ++i) {
    for (int l = 0; l < end; l += lanes.piece[lane + l]) {
      Vector::store(samples + i * width + l, Vector::load(rows + lanes.row_at[lane + l] + i * phases));
    }
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

// Writes the outputs of `width` tiles from lane `lane` on.
template <class Vector, class Storage>
void scatter_tiles(const TileLanes& lanes, int lane, const typename Vector::Scalar* samples, int64_t outputs,
                   int64_t distance, Storage* output) {
  constexpr int width = Vector::width;
  const int end = lanes.count - lane < width ? lanes.count - lane : width;
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

template <class Vector, class Storage>
void scatter_phases(const TileLanes& lanes, int lane, const typename Vector::Scalar* samples, int64_t outputs,
                    int64_t phases, int64_t distance, Storage* output) {
  constexpr int width = Vector::width;
  const int end = lanes.count - lane < width ? lanes.count - lane : width;
  for (int l = 0; l < end; l += lanes.piece[lane + l]) {
    Storage* const to = output + lanes.output_at[lane + l];
    for (int64_t i = 0; i < outputs; ++i) {
      const int64_t left = lanes.left[lane + l] - i * phases;
      const int64_t piece = lanes.piece[lane + l];
      store_outputs<Vector>(to + i * phases * distance, distance, Vector::load(samples + i * width + l),
                            left < piece ? left : piece);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
