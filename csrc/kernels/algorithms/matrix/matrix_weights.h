// Weights for matrix products are packed as [output tile][step], each a tile of 16 output channels by 16 pairs. Pairs
// and channels that the problem lacks are zero.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/core/direct_sum.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/rows/rows.h"
#include "matrix_tile.h"

namespace tapconv::kernels {
namespace {

// MatrixWeights knows, for one output tile of one group, where its weights are, and where they go.
class MatrixWeights {
 public:
  MatrixWeights(const DirectPlan& plan, const ForwardOperands& operands, int64_t tile)
      : p_(plan.problem),
        variant_(plan.variant),
        group_in_(p_.in_channels / p_.groups),
        together_(2 * plan.matrix.depth),
        first_out_(tile % plan.tile_row_count * plan.tile_rows) {
    const int64_t left = p_.out_channels / p_.groups - first_out_;
    outs_ = min(left, plan.tile_rows);
    weight_ = static_cast<const BFloat16*>(operands.weight) + tile / plan.tile_row_count * variant_.weight_group_stride;
    end_ = past_the_last(operands);
    to_ = static_cast<BFloat16*>(operands.packed_weight) + tile * plan.matrix.steps * step_elements;
    std::memset(to_, 0, static_cast<size_t>(plan.matrix.steps * matrix_tile_bytes));
  }

  // Packs steps of (channel, tap) pairs in their order.
  template <class HalfWords>
  void pack_taps() const {
    const int64_t pairs = group_in_ * p_.kernel_size;
    const bool in_order =
        p_.weight_strides.tap == 1 && (group_in_ == 1 || p_.weight_strides.in_channel == p_.kernel_size);
    for (int64_t o = 0; o < outs_; ++o) {
      const BFloat16* const from = weight_ + offset_of(o, 0);
      BFloat16* const to = to_ + o * row_elements;
      for (int64_t i = 0; i < pairs; i += together_) {
        const int64_t count = min(together_, pairs - i);
        BFloat16* const step = to + i / together_ * step_elements;
        if (in_order) {
          copy_strided_weights<HalfWords>(from + i, 1, count, step);
          continue;
        }
        for (int64_t j = 0; j < count; ++j) {
          step[j] = from[(i + j) / p_.kernel_size * p_.weight_strides.in_channel +
                         (i + j) % p_.kernel_size * p_.weight_strides.tap];
        }
      }
    }
  }

  // Packs steps of one tap of some channels. Weights of neighbouring channels may lie side by side or some taps apart,
  // and are merged from vectors. Otherwise those of neighbouring taps, or of neighbouring output channels and taps, lie
  // side by side, and are transposed with as many channels.
  template <class HalfWords>
  void pack_channels() const {
    const WeightStrides& s = p_.weight_strides;
    const bool taps_side_by_side = s.tap == 1 || s.tap == -1;
    const bool is_merged = s.in_channel > 0 && s.in_channel < min_transposed_taps;
    const Places dense = is_merged ? Places{} : dense_places();
    if (dense.count > 0) {
      transpose_dense<HalfWords>(dense);
    } else if (!is_merged && taps_side_by_side && p_.kernel_size >= min_transposed_taps) {
      for (int64_t o = 0; o < outs_; ++o) transpose_taps<HalfWords>(o);
    } else {
      for (int64_t o = 0; o < outs_; ++o) {
        for (int64_t c = 0; c < group_in_; c += together_) {
          for (int64_t k = 0; k < p_.kernel_size; ++k) {
            copy_strided_weights<HalfWords>(weight_ + offset_of(o, k) + c * s.in_channel, s.in_channel,
                                            min(together_, group_in_ - c), row_of(o, c, k));
          }
        }
      }
    }
  }

 private:
  static constexpr int64_t step_elements = matrix_tile_bytes / 2;
  static constexpr int64_t row_elements = 2 * matrix_tile_size;
  // From so many taps on, transposing them takes less than merging as many vectors for each.
  static constexpr int64_t min_transposed_taps = 3;
  static constexpr int transposed = 16;  // at a time
  static constexpr int64_t max_dense_elements = 256;

  // Returns the element of output channel `o` of the tile and tap `k`, of the first input channel, counted from the
  // group's first weight.
  int64_t offset_of(int64_t o, int64_t k) const {
    const int64_t channel = (first_out_ + o) / variant_.output_phases;
    const int64_t phase = (first_out_ + o) % variant_.output_phases;
    return channel * p_.weight_strides.out_channel + phase * variant_.weight_phase_stride + k * p_.weight_strides.tap;
  }

  BFloat16* row_of(int64_t o, int64_t channel, int64_t k) const {
    return to_ + (channel / together_ * p_.kernel_size + k) * step_elements + o * row_elements;
  }

  // Returns the end of the last weight of all, where they lie in order. Otherwise nothing is known to be readable
  // beyond a weight.
  const BFloat16* past_the_last(const ForwardOperands& operands) const {
    const WeightStrides& s = p_.weight_strides;
    const BFloat16* const first = static_cast<const BFloat16*>(operands.weight);
    if (variant_.output_phases > 1 || s.out_channel <= 0 || s.in_channel <= 0 || s.tap <= 0) return first;
    return first + (p_.out_channels - 1) * s.out_channel + (group_in_ - 1) * s.in_channel +
           (p_.kernel_size - 1) * s.tap + 1;
  }

  template <class HalfWords>
  void copy_strided_weights(const BFloat16* from, int64_t apart, int64_t count, BFloat16* to) const {
    if (apart == 1) {
      HalfWords::store_partial(to, HalfWords::load_partial(from, static_cast<int>(count)), static_cast<int>(count));
    } else {
      copy_strided<HalfWords>(from, end_, apart, 0, count, to);
    }
  }

  template <class HalfWords>
  void transpose_taps(int64_t o) const {
    const WeightStrides& s = p_.weight_strides;
    for (int64_t c = 0; c < group_in_; c += together_) {
      for (int64_t k = 0; k < p_.kernel_size; k += transposed) {
        const int count = static_cast<int>(min(transposed, p_.kernel_size - k));
        BFloat16* to[transposed];
        for (int i = 0; i < count; ++i) to[i] = row_of(o, c, k + (s.tap == 1 ? i : count - 1 - i));
        HalfWords::transpose_pairs(weight_ + offset_of(o, s.tap == 1 ? k : k + count - 1) + c * s.in_channel,
                                   s.in_channel, static_cast<int>(min(together_, group_in_ - c)), count, to);
      }
    }
  }

  // Places say where the weights of one input channel go, by their place in memory.
  struct Places {
    int64_t first;                   // element of the first place, from the group's first weight
    int64_t count;                   // 0 unless the weights lie densely, each in a place of its own
    int32_t to[max_dense_elements];  // from the first weight of a step, or nowhere
  };
  static constexpr int32_t nowhere = -1;

  Places dense_places() const {
    Places places{offset_of(0, 0), 0, {}};
    if (2 * outs_ * p_.kernel_size > max_dense_elements) return places;
    int64_t end = places.first + 1;
    for (int64_t o = 0; o < outs_; ++o) {
      for (const int64_t at : {offset_of(o, 0), offset_of(o, p_.kernel_size - 1)}) {
        if (at < places.first) places.first = at;
        if (at >= end) end = at + 1;
      }
    }
    const int64_t count = end - places.first;
    if (count > 2 * outs_ * p_.kernel_size) return places;
    for (int64_t i = 0; i < count; ++i) places.to[i] = nowhere;
    for (int64_t o = 0; o < outs_; ++o) {
      for (int64_t k = 0; k < p_.kernel_size; ++k) {
        int32_t& place = places.to[offset_of(o, k) - places.first];
        if (place != nowhere) return places;
        place = static_cast<int32_t>(k * step_elements + o * row_elements);
      }
    }
    places.count = count;
    return places;
  }

  template <class HalfWords>
  void transpose_dense(const Places& places) const {
    const int64_t apart = p_.weight_strides.in_channel;
    for (int64_t c = 0; c < group_in_; c += together_) {
      const int channels = static_cast<int>(min(together_, group_in_ - c));
      for (int64_t i = 0; i < places.count; i += transposed) {
        const int count = static_cast<int>(min(transposed, places.count - i));
        BFloat16* to[transposed];
        for (int j = 0; j < count; ++j) {
          to[j] = places.to[i + j] == nowhere ? nullptr : row_of(0, c, 0) + places.to[i + j];
        }
        HalfWords::transpose_pairs(weight_ + places.first + i + c * apart, apart, channels, count, to);
      }
    }
  }

  const Problem& p_;
  const ForwardVariant& variant_;
  const int64_t group_in_;
  const int64_t together_;
  const int64_t first_out_;
  int64_t outs_;
  const BFloat16* weight_;  // of the group
  const BFloat16* end_;
  BFloat16* to_;
};

// Packs tiles [first, last), counted over all groups.
template <class HalfWords>
void pack_matrix_tiles(const DirectPlan& plan, const ForwardOperands& operands, int64_t first, int64_t last) {
  for (int64_t tile = first; tile < last; ++tile) {
    const MatrixWeights weights(plan, operands, tile);
    if (plan.matrix.rows_of_taps) {
      weights.pack_taps<HalfWords>();
    } else {
      weights.pack_channels<HalfWords>();
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
