// Packing of weights for the direct sum: [tile][row of input channels][tap][tile row], widened to the compute type or
// in pairs.
#pragma once

#include <bit>
#include <cstdint>

#include "../kernel_table.h"
#include "../register_tiles.h"
#include "../rows.h"
#include "../storage.h"
#include "tile_grid.h"

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

// The weights of two input channels of one tap and output channel, as a row of pairs holds their samples.
inline float pair_of(BFloat16 first, BFloat16 second) {
  return std::bit_cast<float>(static_cast<uint32_t>(first.bits) | static_cast<uint32_t>(second.bits) << 16);
}

// Packs tile number `tile`, counted over all groups.
template <class Vector, class Storage>
void pack_tile(const Plan& plan, const ForwardOperands& operands, int64_t tile) {
  using Scalar = ComputeType<Storage>;
  const Problem& p = plan.problem;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_rows = (group_in + plan.row_channels - 1) / plan.row_channels;
  const int64_t group = tile / plan.tile_row_count;
  const Part part = part_of(tile % plan.tile_row_count, plan.tile_row_count, group_out);
  const int64_t out_channel = group * group_out + part.first;
  const WeightStrides& strides = p.weight_strides;
  const ForwardVariant& variant = plan.variant;
  const Storage* const weight = static_cast<const Storage*>(operands.weight) + group * variant.weight_group_stride;
  Scalar* to = static_cast<Scalar*>(operands.packed_weight) + out_channel * group_rows * p.kernel_size;
  const Storage* from[largest_tile_rows];
  for (int o = 0; o < part.size; ++o) {
    const int64_t channel = (part.first + o) / variant.phases;
    const int64_t phase = (part.first + o) % variant.phases;
    from[o] = weight + channel * strides.out_channel + phase * variant.weight_phase_stride;
  }
  const bool side_by_side = strides.tap == 1 && (group_in == 1 || strides.in_channel == p.kernel_size);
  if (!has_pairs<Vector> && side_by_side && variant.phases == 1 && part.size <= Vector::width) {
    return pack_taps<Vector>(from, part.size, group_in * p.kernel_size, to);
  }
  for (int64_t c = 0; c < group_in; c += plan.row_channels) {
    for (int64_t k = 0; k < p.kernel_size; ++k) {
      const int64_t at = c * strides.in_channel + k * strides.tap;
      for (int o = 0; o < part.size; ++o) {
        if constexpr (has_pairs<Vector>) {
          to[o] = pair_of(from[o][at], c + 1 < group_in ? from[o][at + strides.in_channel] : Storage{});
        } else {
          to[o] = widen(from[o][at]);
        }
      }
      to += part.size;
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
