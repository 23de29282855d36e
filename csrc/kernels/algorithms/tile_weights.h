// Transformed filters: [group][block of output channels][product][register tile][channel][tile row].
#pragma once

#include "../kernel_table.h"
#include "../tile_transforms.h"
#include "tile_grid.h"
#include "transforms.h"

namespace tapconv::kernels {
namespace {

// Sums of squares up to this bound every sum of products, and every transform, far below the largest number.
template <class Scalar>
inline constexpr Scalar largest_square_sum = 0x1p100f;
template <>
inline constexpr double largest_square_sum<double> = 0x1p900;

inline void raise_flag(char* flag) { __atomic_store_n(flag, char(1), __ATOMIC_RELAXED); }

template <class Vector>
const TransformFunctions<typename Vector::Scalar>& transform_functions(TileTransform transform) {
  static constexpr TransformFunctions<typename Vector::Scalar> all[tile_transform_count] = {
      functions_of<FourierTransform<Vector, 8>>(),   functions_of<FourierTransform<Vector, 16>>(),
      functions_of<FourierTransform<Vector, 32>>(),  functions_of<FourierTransform<Vector, 64>>(),
      functions_of<FourierTransform<Vector, 128>>(), functions_of<FourierTransform<Vector, 256>>(),
      functions_of<FourierTransform<Vector, 512>>(),
  };
  return all[static_cast<int>(transform)];
}

template <class Scalar>
Scalar* transformed_weight(const Plan& plan, void* workspace, int64_t group, int64_t out_block) {
  const int64_t planes = shape_of(plan.tiles.transform).products * plan.tiles.weight_plane;
  return reinterpret_cast<Scalar*>(static_cast<char*>(workspace) + plan.packed_weight_at) +
         (group * plan.out_block_count + out_block) * planes;
}

// Copies the taps of the filters of `width` (channel, tile row) pairs to [tap][lane]. A channel is a segment of an
// input channel: every segment_count-th tap.
template <class Vector, class Storage>
void gather_taps(const Plan& plan, const Storage* const* filters, const int64_t* first_taps,
                 typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const int64_t distance = p.weight_strides.tap;
  const int64_t period = plan.rows.segment_count;
  const int64_t count = p.kernel_size;
  if (period == 1 && (distance == 1 || distance == -1)) {
    for (int64_t k = 0; k < count; k += width) {
      const int64_t left = count - k < width ? count - k : width;
      typename Vector::Register r[width];
      for (int l = 0; l < width; ++l) {
        const Storage* const from = filters[l] + (distance == 1 ? k : -(k + left - 1));
        r[l] = left == width ? Vector::load(from) : Vector::load_partial(from, static_cast<int>(left));
      }
      Vector::transpose(r);
      for (int64_t i = 0; i < left; ++i) Vector::store(taps + (k + i) * width, r[distance == 1 ? i : left - 1 - i]);
    }
    return;
  }
  for (int64_t i = 0; i < plan.tiles.taps; ++i) {
    for (int l = 0; l < width; ++l) {
      const int64_t k = first_taps[l] + i * period;
      taps[i * width + l] = k < count ? widen(filters[l][k * distance]) : typename Vector::Scalar(0);
    }
  }
}

// Transforms the filters of register tiles [first, last), counted over all groups.
template <class Isa, class Storage>
void transform_weight_tiles(const Plan& plan, const ForwardOperands& operands, int64_t first, int64_t last, int slot) {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const TransformFunctions<Scalar>& transform = transform_functions<Vector>(plan.tiles.transform);
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t channels = plan.tiles.channels;
  const int64_t period = plan.rows.segment_count;
  char* const workspace = static_cast<char*>(operands.workspace);
  Scalar* const taps =
      reinterpret_cast<Scalar*>(workspace + plan.slots_at + static_cast<size_t>(slot) * plan.slot_bytes);
  for (int64_t i = 0; i < shape_of(plan.tiles.transform).size * width; ++i) taps[i] = 0;

  for (int64_t unit = first; unit < last; ++unit) {
    const int64_t group = unit / plan.tile_row_count;
    const int64_t tile = unit % plan.tile_row_count;
    const Part part = part_of(tile, plan.tile_row_count, group_out);
    const Storage* const weight = static_cast<const Storage*>(operands.weight) +
                                  group * plan.variant.weight_group_stride + part.first * p.weight_strides.out_channel;
    Scalar* const to = transformed_weight<Scalar>(plan, workspace, group, tile / plan.out_block) +
                       tile % plan.out_block * plan.tiles.weight_tile;
    typename Vector::Register squares = Vector::zero();
    int64_t row = 0;
    int64_t channel = 0;
    for (int64_t at = 0; at < channels * part.size; at += width) {
      const Storage* filters[width];
      int64_t first_taps[width];
      for (int l = 0; l < width; ++l) {
        filters[l] = weight + row * p.weight_strides.out_channel + channel / period * p.weight_strides.in_channel;
        first_taps[l] = channel % period;
        if (++row == part.size && channel + 1 < channels) {
          row = 0;
          ++channel;
        } else if (row == part.size) {
          --row;
        }
      }
      gather_taps<Vector>(plan, filters, first_taps, taps);
      for (int64_t i = 0; i < plan.tiles.taps; ++i) {
        const auto w = Vector::load(taps + i * width);
        squares = Vector::multiply_add(w, w, squares);
      }
      transform.weight(taps, to + at, plan.tiles.weight_plane);
    }
    if (!(Vector::sum(squares) <= largest_square_sum<Scalar>)) raise_flag(workspace + plan.tiles.flags_at);
  }
}

}  // namespace
}  // namespace tapconv::kernels
