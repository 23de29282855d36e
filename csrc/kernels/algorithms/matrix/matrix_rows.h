// The rows of the direct sum by matrix products hold two samples in each lane (MatrixSteps in core/direct_sum.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/direct_sum.h"
#include "kernels/core/integers.h"
#include "kernels/rows/padding.h"
#include "kernels/rows/rows.h"
#include "matrix_tile.h"

namespace tapconv::kernels {
namespace {

// Makes all rows of a group for some outputs. `samples` has room for two channels as RowPlan::rows lays them out.
template <class HalfWords>
class MatrixRows {
 public:
  MatrixRows(const DirectPlan& plan, uint32_t* rows, BFloat16* samples)
      : plan_(plan),
        steps_(plan.matrix),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        rows_(rows),
        samples_(samples) {}

  // Copies what the outputs [time, time + count) read. `input` is the group's first channel of a sample, or of the
  // first sample if they are folded.
  void copy(const BFloat16* input, int64_t time, int64_t count) const {
    uint32_t* to = rows_;
    if (steps_.transposes_taps) {
      for (int64_t c = 0; c < group_in_; ++c) {
        to = transpose_taps(input + c * plan_.problem.input_strides.channel, time, count, to);
      }
    } else if (channels_lie_side_by_side()) {
      to = transpose_channels(input, time, count, to);
    } else {
      for (int64_t c = 0; c < group_in_; c += 2) to = pair_channels(input, c, time, count, to);
    }
    // The rows of the last step that the problem lacks become zeros, since zero weights do not keep a NaN from the
    // sums.
    for (uint32_t* const end = rows_ + steps_.rows * steps_.row_distance; to < end; ++to) *to = 0;
  }

 private:
  // Channels c and c + 1 become either a row of pairs of both, or a row for each two segments, where the segments of
  // the one and then those of the other are one sequence of taps.
  uint32_t* pair_channels(const BFloat16* input, int64_t c, int64_t time, int64_t count, uint32_t* to) const {
    const int64_t length = plan_.rows.row_length;
    const int64_t segment = plan_.rows.segment_length;
    const int64_t distance = plan_.problem.input_strides.channel;
    const bool two = c + 1 < group_in_;
    BFloat16* const second = samples_ + length;
    copy_rows<HalfWords>(plan_, input + c * distance, 1, time, count, samples_);
    if (two) {
      copy_rows<HalfWords>(plan_, input + (c + 1) * distance, 1, time, count, second);
    } else {
      fill_zeros<HalfWords>(second, steps_.rows_of_taps ? segment : length);
    }
    if (!steps_.rows_of_taps) return pair(samples_, second, length, to);
    const int64_t segments = (two ? 2 : 1) * plan_.problem.kernel_size;
    for (int64_t s = 0; s < segments; s += 2) {
      to = pair(samples_ + s * segment, samples_ + (s + 1) * segment, segment, to);
    }
    return to;
  }

  static uint32_t* pair(const BFloat16* low, const BFloat16* high, int64_t length, uint32_t* to) {
    for (int64_t i = 0; i < length; i += matrix_tile_size) HalfWords::store_pairs(to + i, low + i, high + i);
    return to + length;
  }

  bool channels_lie_side_by_side() const {
    const ActivationStrides& strides = plan_.problem.input_strides;
    return !steps_.rows_of_taps && !plan_.folded && strides.channel == 1 && strides.time > 1;
  }

  // Channels that lie side by side are transposed, up to 16 pairs of them at 16 times.
  uint32_t* transpose_channels(const BFloat16* input, int64_t time, int64_t count, uint32_t* to) const {
    constexpr int64_t together = 2 * matrix_tile_size;
    const Problem& p = plan_.problem;
    const RowLayout& layout = plan_.rows;
    const int64_t used = count + (layout.taps_per_segment - 1) * layout.tap_distance;
    for (int64_t c = 0; c < group_in_; c += together) {
      const int64_t channels = min(group_in_ - c, together);
      const int pairs = static_cast<int>((channels + 1) / 2);
      for (int64_t s = 0; s < layout.segment_count; ++s) {
        const int64_t first = time * p.stride + s * p.dilation - p.padding_left;
        for (int64_t t = 0; t < used; t += matrix_tile_size) {
          alignas(64) BFloat16 borders[matrix_tile_size][together];
          const BFloat16* from[matrix_tile_size];
          for (int64_t i = 0; i < matrix_tile_size; ++i) {
            const int64_t source = source_of(first + min(t + i, used - 1) * p.stride, p);
            from[i] = input + c + source * p.input_strides.time;
            if (source >= 0 && channels % 2 == 0) continue;
            for (int64_t j = 0; j < 2 * pairs; ++j) {
              borders[i][j] = source >= 0 && j < channels ? from[i][j] : BFloat16{};
            }
            from[i] = borders[i];
          }
          HalfWords::transpose_lanes(from, pairs, to + s * layout.segment_length + t, steps_.row_distance);
        }
      }
      to += pairs * steps_.row_distance;
    }
    return to;
  }

  // The taps of this channel lie side by side. What 16 outputs read is transposed, up to 16 pairs of taps at a time.
  uint32_t* transpose_taps(const BFloat16* channel, int64_t time, int64_t count, uint32_t* to) const {
    constexpr int64_t together = 2 * matrix_tile_size;
    const Problem& p = plan_.problem;
    for (int64_t k = 0; k < p.kernel_size; k += together) {
      const int64_t taps = min(p.kernel_size - k, together);
      const int pairs = static_cast<int>((taps + 1) / 2);
      for (int64_t t = 0; t < count; t += matrix_tile_size) {
        alignas(64) BFloat16 borders[matrix_tile_size][together];
        const BFloat16* from[matrix_tile_size];
        for (int64_t i = 0; i < matrix_tile_size; ++i) {
          const int64_t last = min(t + i, count - 1);
          const int64_t first = (time + last) * p.stride + k - p.padding_left;
          from[i] = channel + first;
          if (first >= 0 && first + 2 * pairs <= p.input_length && taps % 2 == 0) continue;
          for (int64_t j = 0; j < 2 * pairs; ++j) {
            const int64_t source = j < taps ? source_of(first + j, p) : -1;
            borders[i][j] = source < 0 ? BFloat16{} : channel[source];
          }
          from[i] = borders[i];
        }
        HalfWords::transpose_lanes(from, pairs, to + t, steps_.row_distance);
      }
      to += pairs * steps_.row_distance;
    }
    return to;
  }

  const DirectPlan& plan_;
  const MatrixSteps& steps_;
  const int64_t group_in_;
  uint32_t* rows_;     // [pair][time]
  BFloat16* samples_;  // of two channels
};

}  // namespace
}  // namespace tapconv::kernels
