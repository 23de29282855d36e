// Packing of weights for the direct sum: [tile][in_channel][tap][tile row], widened to the compute type.
#pragma once

#include "../kernel_table.h"
#include "../register_tiles.h"
#include "../storage.h"
#include "tile_grid.h"

namespace tapconv::kernels {
namespace {

// Packs tile number `tile`, counted over all groups.
template <class Storage>
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
