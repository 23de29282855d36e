// Packing of weights for the direct sum: [tile][in_channel][tap][tile row], widened to the compute type.
#pragma once

#include "../kernel_table.h"
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
  const Storage* from = static_cast<const Storage*>(operands.weight) + group * plan.weight_group_stride +
                        part.first * strides.out_channel;
  Scalar* to = reinterpret_cast<Scalar*>(static_cast<char*>(operands.workspace) + plan.packed_weight_at) +
               out_channel * group_in * p.kernel_size;
  for (int64_t c = 0; c < group_in; ++c) {
    for (int64_t k = 0; k < p.kernel_size; ++k) {
      const Storage* tap = from + c * strides.in_channel + k * strides.tap;
      for (int o = 0; o < part.size; ++o) to[o] = widen(tap[o * strides.out_channel]);
      to += part.size;
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
