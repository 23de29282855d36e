// Packing of weights for the direct sum: [tile][in_channel][tap][tile row], widened to the compute type.
#pragma once

#include "../kernel_table.h"
#include "../register_tiles.h"
#include "../storage.h"
#include "tile_grid.h"

namespace tapconv::kernels {
namespace {

// to[pair][row] = from[row][pair], transposed vector by vector.
template <class Vector, class Storage>
void pack_pairs(const Storage* const* from, int rows, int64_t pairs, typename Vector::Scalar* to) {
  constexpr int width = Vector::width;
  for (int64_t pair = 0; pair < pairs; pair += width) {
    const int here = pairs - pair < width ? static_cast<int>(pairs - pair) : width;
    typename Vector::Register block[width];
    for (int o = 0; o < width; ++o) {
      if (o >= rows) {
        block[o] = Vector::zero();
      } else if (here == width) {
        block[o] = Vector::load(from[o] + pair);
      } else {
        block[o] = Vector::load_partial(from[o] + pair, here);
      }
    }
    Vector::transpose(block);
    for (int i = 0; i < here; ++i) Vector::store_partial(to + (pair + i) * rows, block[i], rows);
  }
}

// Packs tile number `tile`, counted over all groups.
template <class Isa, class Storage>
void pack_tile(const Plan& plan, const ForwardOperands& operands, int64_t tile) {
  using Scalar = ComputeType<Storage>;
  const Problem& p = plan.problem;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group = tile / plan.tile_row_count;
  const Part part = part_of(tile % plan.tile_row_count, plan.tile_row_count, group_out);
  const int64_t out_channel = group * group_out + part.first;
  const WeightStrides& strides = p.weight_strides;
  const ForwardVariant& variant = plan.variant;
  const Storage* const weight = static_cast<const Storage*>(operands.weight) + group * variant.weight_group_stride;
  Scalar* to = reinterpret_cast<Scalar*>(static_cast<char*>(operands.workspace) + plan.packed_weight_at) +
               out_channel * group_in * p.kernel_size;
  const Storage* from[largest_tile_rows];
  bool lacks_first_tap[largest_tile_rows];
  for (int o = 0; o < part.size; ++o) {
    const int64_t channel = (part.first + o) / variant.phases;
    const int64_t phase = (part.first + o) % variant.phases;
    from[o] = weight + channel * strides.out_channel + phase * variant.weight_phase_stride;
    lacks_first_tap[o] = phase >= variant.phases_of_all_taps;
  }
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  const bool side_by_side = strides.tap == 1 && (group_in == 1 || strides.in_channel == p.kernel_size);
  if (side_by_side && variant.phases == 1 && part.size <= Vector::width) {
    return pack_pairs<Vector>(from, part.size, group_in * p.kernel_size, to);
  }
  for (int64_t c = 0; c < group_in; ++c) {
    for (int64_t k = 0; k < p.kernel_size; ++k) {
      const int64_t at = c * strides.in_channel + k * strides.tap;
      for (int o = 0; o < part.size; ++o) {
        to[o] = k == 0 && lacks_first_tap[o] ? Scalar(0) : widen(from[o][at]);
      }
      to += part.size;
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
