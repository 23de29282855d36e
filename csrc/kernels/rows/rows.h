// The copy: one input channel becomes one row, padded, widened and split into segments (core/row_layout.h).
#pragma once

#include "folded_rows.h"
#include "kernels/core/row_plan.h"
#include "kernels/simd/vector.h"
#include "row_segments.h"

namespace tapconv::kernels {
namespace {

// Copies `channels` channels, beginning at `input`, for the outputs [time, time + count).
template <class Vector, class Storage>
void copy_rows(const RowPlan& plan, const Storage* input, int64_t channels, int64_t time, int64_t count,
               typename Vector::Scalar* rows) {
  if (plan.folded) return copy_folded_rows<Vector>(plan, input, channels, time, count, rows);
  const Problem& problem = plan.problem;
  const RowLayout& layout = plan.rows;
  const ActivationStrides& strides = problem.input_strides;
  const int64_t used = count + (layout.taps_per_segment - 1) * layout.tap_distance;
  // The last vector of a tile reads past `used`; its surplus lanes are thrown away, but must not be slow or trap.
  const int64_t slack_end = used + Vector::width < layout.segment_length ? used + Vector::width : layout.segment_length;
  const int64_t first = time * problem.stride - problem.padding_left;  // position of the first segment's first element
  if (problem.stride * strides.time == 1) {
    for (int64_t s = 0; s < layout.segment_count; ++s) {
      copy_dense_segments<Vector>(problem, input, channels, first + s * problem.dilation, used, slack_end,
                                  rows + s * layout.segment_length, layout.row_length);
    }
    return;
  }
  const bool channels_side_by_side =
      TransposingVector<Vector> && strides.channel == 1 && strides.time != 1 && channels > 1;
  // Merging vectors takes less where few samples lie between those of a segment.
  const bool segments_side_by_side = TransposingVector<Vector> && strides.time == 1 && problem.dilation == 1 &&
                                     problem.stride > Vector::max_merged_vectors && layout.segment_count > 1;
  const int64_t together = channels_side_by_side ? Vector::width : 1;
  for (int64_t c = 0; c < channels; c += together) {
    const Storage* const channel = input + c * strides.channel;
    const int here = static_cast<int>(channels - c < together ? channels - c : together);
    typename Vector::Scalar* const row = rows + c * layout.row_length;
    if constexpr (TransposingVector<Vector>) {
      if (segments_side_by_side) {
        copy_neighbouring_segments<Vector>(problem, channel, layout.segment_count, first, used, slack_end, row,
                                           layout.segment_length);
        continue;
      }
    }
    for (int64_t s = 0; s < layout.segment_count; ++s) {
      typename Vector::Scalar* const segment = row + s * layout.segment_length;
      const int64_t position = first + s * problem.dilation;
      if constexpr (TransposingVector<Vector>) {
        if (channels_side_by_side) {
          copy_neighbouring_channels<Vector>(problem, channel, here, position, used, segment, layout.row_length);
        }
      }
      if (!channels_side_by_side) copy_segment<Vector>(problem, channel, position, used, segment);
      for (int i = 0; i < here; ++i) {
        fill_zeros<Vector>(segment + i * layout.row_length + used, slack_end - used);
      }
    }
  }
}

// Copies `channels` channels as rows of pairs; the last one may be half empty. `spare` has room for one row.
template <class Vector, class Storage>
void copy_pairs(const RowPlan& plan, const Storage* input, int64_t channels, int64_t time, int64_t count,
                typename Vector::Scalar* rows, typename Vector::Scalar* spare) {
  const int64_t length = plan.rows.row_length;
  for (int64_t c = 0; c < channels; c += 2, rows += length, input += 2 * plan.problem.input_strides.channel) {
    copy_rows<Vector>(plan, input, 1, time, count, rows);
    if (c + 1 < channels) {
      copy_rows<Vector>(plan, input + plan.problem.input_strides.channel, 1, time, count, spare);
    } else {
      fill_zeros<Vector>(spare, length);
    }
    for (int64_t i = 0; i < length; i += Vector::width) {
      Vector::store(rows + i, Vector::pair(Vector::load(rows + i), Vector::load(spare + i)));
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
