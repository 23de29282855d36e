// The tile algorithm with output channels in the vector lanes (TileBlocking::filter_lanes). A problem of few tiles
// would leave many lanes of whole vectors of tiles empty: 34 tiles take 48 lanes of AVX-512. Here a register tile is
// some tiles by some vectors of output channels, and any number of tiles fills it.
//
// It is the micro-kernel of the direct sum with exchanged roles (direct/register_tile.h), and has that register budget:
// its rows are transformed filters, its weights transformed tiles, which it reads where they lie, and its outputs are
// the tiles' sums, channel by channel. Loop order: a panel, some vectors of output channels, goes through all input
// channels, a block of them at a time. The block's filters are transformed, one vector for each input channel without
// any transposition, and multiplied while they are in the second-level cache. On the way back lanes are channels too,
// and tiles that follow each other make one long stretch of times, which is transposed into the rows of the output in
// whole vectors however short the tiles are.
#pragma once

#include "kernels/algorithms/direct/direct.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/algorithms/transforms/transforms.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "tile_filters.h"
#include "tile_gather.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Vector>
class FilterLanes {
  using Scalar = typename Vector::Scalar;
  static constexpr int width = Vector::width;

 public:
  FilterLanes(const TilePlan& plan, const TileLanes& lanes, const int32_t* offsets, Scalar* outputs, Scalar* samples)
      : plan_(plan),
        blocks_(plan.tiles),
        lanes_(lanes),
        offsets_(offsets),
        outputs_(outputs),
        samples_(samples),
        transform_(transform_functions<Vector>(plan.tiles.transform)),
        products_(shape_of(plan.tiles.transform).products) {}

  // Adds up the channels [first, last) of a panel after those before them. `inputs` and `filters` are those of channel
  // `first`.
  void multiply(const Share& panel, int64_t first, int64_t last, const Scalar* inputs, const Scalar* filters) const {
    constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
    const int64_t tile_groups = ceil_div(lanes_.count, tiles.rows);
    TileCall<Scalar> call;
    call.offsets = offsets_;
    call.pair_count = last - first;
    call.weight_stride = blocks_.block_tiles;
    call.bias = nullptr;
    call.output_stride = plan_.tile_rows;
    call.last_count = width;
    call.accumulate = first > 0;
    const int64_t share = (last - first) * plan_.tile_rows / tile_groups;  // of the next product's filters
    for (int q = 0; q < products_; ++q, inputs += blocks_.input_plane, filters += blocks_.weight_plane) {
      call.rows = filters;
      for (int64_t i = 0; i < tile_groups; ++i) {
        const Share part = share_of(i, tile_groups, lanes_.count);
        if (plan_.packed_ahead && q + 1 < products_)
          prefetch_filters(filters + blocks_.weight_plane + i * share, share);
        call.weight = inputs + part.first;
        call.output = outputs_ + q * blocks_.output_plane + part.first * plan_.tile_rows;
        tile_of<Isa, Vector, true>(part.size, panel.size / width)(call);
      }
    }
  }

  // `output` is that of the panel's first channel. `bias` begins with that channel, or is null.
  template <class To>
  void transform_outputs(const Share& panel, const Scalar* bias, To* output) const {
    for (int lane = 0; lane < panel.size; lane += width) {
      To* const to = output + lane * plan_.problem.output_strides.channel;
      for (int tile = 0; tile < lanes_.count;) {
        const int end = end_of_stretch(tile);
        prefetch_stretch(tile, end, to);
        for (int i = tile; i < end; ++i) {
          transform_.output(outputs_ + i * plan_.tile_rows + lane, blocks_.output_plane, Scalar(0),
                            samples_ + (i - tile) * blocks_.outputs * width);
        }
        write_stretch(tile, end, bias == nullptr ? nullptr : bias + lane, to);
        tile = end;
      }
    }
  }

 private:
  // Returns the end of the tiles from this one on whose outputs follow each other, as many as the buffer of samples
  // holds.
  int end_of_stretch(int tile) const {
    const int64_t distance = blocks_.outputs * plan_.problem.output_strides.time;
    const int64_t most = filter_lane_times / blocks_.outputs;
    int end = tile + 1;
    while (end < lanes_.count && end - tile < most && lanes_.left[end - 1] > blocks_.outputs &&
           lanes_.output_at[end] == lanes_.output_at[end - 1] + distance) {
      ++end;
    }
    return end;
  }

  int64_t times_of_stretch(int tile, int end) const {
    const int64_t times = (end - tile) * blocks_.outputs;
    return times < lanes_.left[tile] ? times : lanes_.left[tile];
  }

  // Every channel begins far from the last one, where no hardware prefetcher looks, so lines are fetched ahead.
  template <class To>
  void prefetch_stretch(int tile, int end, const To* output) const {
    if (plan_.problem.output_strides.time != 1) return;
    constexpr int64_t line = 64 / sizeof(To);
    const int64_t times = times_of_stretch(tile, end);
    for (int c = 0; c < width; ++c, output += plan_.problem.output_strides.channel) {
      for (int64_t t = 0; t < times; t += line) __builtin_prefetch(output + lanes_.output_at[tile] + t, 1);
    }
  }

  template <class To>
  void write_stretch(int tile, int end, const Scalar* bias, To* output) const {
    const ActivationStrides& strides = plan_.problem.output_strides;
    const int64_t times = times_of_stretch(tile, end);
    for (int64_t t = 0; t < times; t += width) {
      typename Vector::Register r[width];
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) r[i] = Vector::load(samples_ + (t + i) * width);
      Vector::transpose(r);
      To* to = output + lanes_.output_at[tile] + t * strides.time;
      for (int c = 0; c < width; ++c, to += strides.channel) {
        const auto sums = bias == nullptr ? r[c] : Vector::add(r[c], Vector::broadcast(bias[c]));
        store_outputs<Vector>(to, strides.time, sums, times - t);
      }
    }
  }

  const TilePlan& plan_;
  const TileBlocks& blocks_;
  const TileLanes& lanes_;
  const int32_t* offsets_;
  Scalar* outputs_;  // [product][tile][output channel of the panel]
  Scalar* samples_;  // [time][lane]
  const TransformFunctions<Scalar>& transform_;
  const int products_;
};

}  // namespace
}  // namespace tapconv::kernels
