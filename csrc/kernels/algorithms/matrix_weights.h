// Packing of weights for matrix products: [output tile][step], each a tile of 16 output channels by 16 pairs, of which
// those that the problem lacks are zero.
#pragma once

#include <cstdint>
#include <cstring>

#include "../kernel_table.h"
#include "../rows.h"
#include "matrix_tile.h"

namespace tapconv::kernels {
namespace {

// `count` weights, `apart` from each other; none at or past `end` is read.
template <class HalfWords>
void pack_weights(const BFloat16* from, const BFloat16* end, int64_t apart, int64_t count, BFloat16* to) {
  if (apart == 1) {
    HalfWords::store_partial(to, HalfWords::load_partial(from, static_cast<int>(count)), static_cast<int>(count));
  } else {
    copy_strided<HalfWords>(from, end, apart, 0, count, to);
  }
}

// Past the last weight, where all of them lie in order; else nothing is known to be readable beyond a weight.
inline const BFloat16* end_of_weights(const Plan& plan, const BFloat16* weight) {
  const Problem& p = plan.problem;
  const WeightStrides& s = p.weight_strides;
  const bool in_order = plan.variant.phases == 1 && s.out_channel > 0 && s.in_channel > 0 && s.tap > 0;
  if (!in_order) return weight;
  return weight + (p.out_channels - 1) * s.out_channel + (p.in_channels / p.groups - 1) * s.in_channel +
         (p.kernel_size - 1) * s.tap + 1;
}

// One output channel of one tile.
template <class HalfWords>
void pack_matrix_row(const Plan& plan, const BFloat16* from, const BFloat16* end, BFloat16* to) {
  constexpr int64_t tile = matrix_tile_bytes / 2;
  const Problem& p = plan.problem;
  const WeightStrides& s = p.weight_strides;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t taps = p.kernel_size;
  const int64_t together = 2 * plan.matrix.depth;
  if (!plan.matrix.rows_of_taps) {
    for (int64_t c = 0; c < group_in; c += together) {
      const int64_t channels = group_in - c < together ? group_in - c : together;
      for (int64_t k = 0; k < taps; ++k, to += tile) {
        pack_weights<HalfWords>(from + c * s.in_channel + k * s.tap, end, s.in_channel, channels, to);
      }
    }
  } else if (s.tap == 1 && (group_in == 1 || s.in_channel == taps)) {
    for (int64_t i = 0; i < group_in * taps; i += together, to += tile) {
      const int64_t left = group_in * taps - i;
      pack_weights<HalfWords>(from + i, end, 1, left < together ? left : together, to);
    }
  } else {
    int64_t i = 0;
    for (int64_t c = 0; c < group_in; ++c) {
      for (int64_t k = 0; k < taps; ++k, ++i) {
        to[i / together * tile + i % together] = from[c * s.in_channel + k * s.tap];
      }
    }
  }
}

// Packs tiles [first, last), counted over all groups.
template <class HalfWords>
void pack_matrix_tiles(const Plan& plan, const ForwardOperands& operands, int64_t first, int64_t last) {
  const Problem& p = plan.problem;
  const ForwardVariant& variant = plan.variant;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t bytes = plan.matrix.steps * matrix_tile_bytes;
  const BFloat16* const weights = static_cast<const BFloat16*>(operands.weight);
  const BFloat16* const end = end_of_weights(plan, weights);
  for (int64_t tile = first; tile < last; ++tile) {
    char* const to = static_cast<char*>(operands.packed_weight) + tile * bytes;
    std::memset(to, 0, static_cast<size_t>(bytes));
    const int64_t group = tile / plan.tile_row_count;
    const int64_t first_out = tile % plan.tile_row_count * plan.tile_rows;
    const int64_t outs = group_out - first_out < plan.tile_rows ? group_out - first_out : plan.tile_rows;
    for (int64_t o = 0; o < outs; ++o) {
      const int64_t channel = (first_out + o) / variant.phases;
      const int64_t phase = (first_out + o) % variant.phases;
      pack_matrix_row<HalfWords>(plan,
                                 weights + group * variant.weight_group_stride +
                                     channel * p.weight_strides.out_channel + phase * variant.weight_phase_stride,
                                 end, reinterpret_cast<BFloat16*>(to) + o * 2 * matrix_tile_size);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
