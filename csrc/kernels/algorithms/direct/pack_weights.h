// Weights for the direct sum are packed as [tile][row of input channels][tap][tile row], widened to the compute type or
// in pairs.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/core/direct_sum.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/numbers/storage.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

// to[tap][row] = from[row][tap], transposed vector by vector.
template <class Vector, class Storage>
void pack_taps(const Storage* const* from, int rows, int64_t taps, typename Vector::Scalar* to) {
  constexpr int width = Vector::width;
  for (int64_t tap = 0; tap < taps; tap += width) {
    const int here = taps - tap < width ? static_cast<int>(taps - tap) : width;
    typename Vector::Register block[width];
    for (int o = 0; o < width; ++o) {
      if (o >= rows) {
        block[o] = Vector::zero();
      } else if (here == width) {
        block[o] = Vector::load(from[o] + tap);
      } else {
        block[o] = Vector::load_partial(from[o] + tap, here);
      }
    }
    Vector::transpose(block);
    for (int i = 0; i < here; ++i) Vector::store_partial(to + (tap + i) * rows, block[i], rows);
  }
}

// Joins the weights of two input channels of one tap and output channel, as a row of pairs holds their samples.
inline float pair_of(BFloat16 first, BFloat16 second) {
  return std::bit_cast<float>(static_cast<uint32_t>(first.bits) | static_cast<uint32_t>(second.bits) << 16);
}

// PackedTile knows where the weights of a register tile are, and where they go.
template <class Scalar, class Storage>
struct PackedTile {
  int rows;
  const Storage* from[largest_tile_rows];  // input channel 0, tap 0 of each row
  // A run is rows whose weights are neighbours in memory, as those of the phases of a transposed convolution are.
  int run_count;
  int run_ends[largest_tile_rows];
  Scalar* to;

  PackedTile() = default;

  // The tile of number `tile` is counted over all groups.
  PackedTile(const DirectPlan& plan, const ForwardOperands& operands, int64_t tile) : run_count(0) {
    const Problem& p = plan.problem;
    const ForwardVariant& variant = plan.variant;
    const int64_t group_out = p.out_channels / p.groups;
    const int64_t group_rows = ceil_div(p.in_channels / p.groups, plan.row_channels);
    const int64_t group = tile / plan.tile_row_count;
    const Share part = share_of(tile % plan.tile_row_count, plan.tile_row_count, group_out);
    const Storage* const weight = static_cast<const Storage*>(operands.weight) + group * variant.weight_group_stride;
    rows = part.size;
    to = static_cast<Scalar*>(operands.packed_weight) + (group * group_out + part.first) * group_rows * p.kernel_size;
    for (int o = 0; o < rows; ++o) {
      const int64_t channel = (part.first + o) / variant.output_phases;
      const int64_t phase = (part.first + o) % variant.output_phases;
      from[o] = weight + channel * p.weight_strides.out_channel + phase * variant.weight_phase_stride;
      if (o > 0 && from[o] != from[o - 1] + 1) run_ends[run_count++] = o;
    }
    run_ends[run_count++] = rows;
  }

  bool has_long_runs() const { return 2 * run_count <= rows; }
};

// Weights are copied in fours, because masked vectors would read across the ends of cache lines. Each four goes through
// an array, which nothing overlaps, so that it moves as one vector without a check. The last one may write some weights
// once more.
template <class Scalar, class Storage>
void pack_run(const Storage* from, int count, Scalar* to) {
  constexpr int four = 4;
  const auto move_four = [&](int at) {
    Storage weights[four];
    std::memcpy(weights, from + at, sizeof(weights));
    Scalar wide[four];
    for (int i = 0; i < four; ++i) wide[i] = widen(weights[i]);
    std::memcpy(to + at, wide, sizeof(wide));
  };
  if (count < four) {
    for (int i = 0; i < count; ++i) to[i] = widen(from[i]);
    return;
  }
  for (int i = 0; i + four <= count; i += four) move_four(i);
  if (count % four != 0) move_four(count - four);
}

// Copies what one tap of input channel `channel` has for a tile, run by run.
template <class Vector, class Storage>
void pack_runs(const Problem& p, const PackedTile<typename Vector::Scalar, Storage>& tile, int64_t channel,
               typename Vector::Scalar* to) {
  for (int64_t k = 0; k < p.kernel_size; ++k, to += tile.rows) {
    const int64_t at = channel * p.weight_strides.in_channel + k * p.weight_strides.tap;
    for (int r = 0, o = 0; r < tile.run_count; ++r) {
      pack_run(tile.from[o] + at, tile.run_ends[r] - o, to + o);
      o = tile.run_ends[r];
    }
  }
}

// Packs one weight after the other, in pairs where rows are in pairs.
template <class Vector, class Storage>
void pack_each(const Problem& p, const PackedTile<typename Vector::Scalar, Storage>& tile, int64_t channel,
               typename Vector::Scalar* to) {
  for (int64_t k = 0; k < p.kernel_size; ++k, to += tile.rows) {
    const int64_t at = channel * p.weight_strides.in_channel + k * p.weight_strides.tap;
    for (int o = 0; o < tile.rows; ++o) {
      const Storage* const from = tile.from[o] + at;
      if constexpr (PairingVector<Vector>) {
        to[o] =
            pair_of(from[0], channel + 1 < p.in_channels / p.groups ? from[p.weight_strides.in_channel] : Storage{});
      } else {
        to[o] = widen(from[0]);
      }
    }
  }
}

// Packs neighbouring tiles side by side, input channel by input channel. What the tiles read of one channel lies
// together, but the channels may be pages apart. All of them then fall into a few sets of the caches, where no line
// would stay until the next tile wants it, and beyond all that a hardware prefetcher looks at.
template <class Vector, class Storage>
void pack_side_by_side(const DirectPlan& plan, const PackedTile<typename Vector::Scalar, Storage>* tiles,
                       int tile_count) {
  const Problem& p = plan.problem;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t channels_ahead = 4 * plan.row_channels;
  for (int64_t c = 0; c < group_in; c += plan.row_channels) {
    for (int i = 0; i < tile_count; ++i) {
      const auto& tile = tiles[i];
      if (c + channels_ahead < group_in) {
        const int64_t ahead = (c + channels_ahead) * p.weight_strides.in_channel;
        for (int r = 0, o = 0; r < tile.run_count; o = tile.run_ends[r++]) __builtin_prefetch(tile.from[o] + ahead);
      }
      auto* const to = tile.to + c / plan.row_channels * p.kernel_size * tile.rows;
      if constexpr (!PairingVector<Vector>) {
        if (tile.has_long_runs()) {
          pack_runs<Vector>(p, tile, c, to);
          continue;
        }
      }
      pack_each<Vector>(p, tile, c, to);
    }
  }
}

// Packs tiles [first, last), counted over all groups.
template <class Vector, class Storage>
void pack_tiles(const DirectPlan& plan, const ForwardOperands& operands, int64_t first, int64_t last) {
  using Tile = PackedTile<ComputeType<Storage>, Storage>;
  constexpr int64_t max_tiles = 8;  // as many streams as the first-level cache can hold in one set
  const Problem& p = plan.problem;
  const int64_t group_in = p.in_channels / p.groups;
  const bool taps_side_by_side = p.weight_strides.tap == 1 && plan.variant.output_phases == 1 &&
                                 (group_in == 1 || p.weight_strides.in_channel == p.kernel_size);
  while (first < last) {
    const Tile tile(plan, operands, first);
    if constexpr (!PairingVector<Vector>) {
      if (taps_side_by_side && tile.rows <= Vector::width) {
        pack_taps<Vector>(tile.from, tile.rows, group_in * p.kernel_size, tile.to);
        ++first;
        continue;
      }
    }
    Tile tiles[max_tiles];
    int count = 0;
    for (; count < max_tiles && first < last; ++count, ++first) tiles[count] = Tile(plan, operands, first);
    pack_side_by_side<Vector>(plan, tiles, count);
  }
}

}  // namespace
}  // namespace tapconv::kernels
