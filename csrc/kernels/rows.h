// The copy: one input channel becomes one row, padded, widened and split into segments (plan.h, RowLayout).
#pragma once

#include "plan.h"
#include "storage.h"

namespace tapconv::kernels {
namespace {

// Where a padded position takes its value from, or -1 for a zero. `position` counts from the first real sample.
// Positions outside the padding are read only by vector lanes whose result is thrown away.
inline int64_t source_of(int64_t position, const Problem& problem) {
  const int64_t length = problem.input_length;
  if (position >= 0 && position < length) return position;
  if (problem.padding_mode == PaddingMode::zeros) return -1;
  if (position < -problem.padding_left || position >= length + problem.padding_right) return -1;
  switch (problem.padding_mode) {
    case PaddingMode::reflect:
      return position < 0 ? -position : 2 * (length - 1) - position;
    case PaddingMode::replicate:
      return position < 0 ? 0 : length - 1;
    case PaddingMode::circular:
      return position < 0 ? position + length : position - length;
    case PaddingMode::zeros:
      break;
  }
  return -1;
}

template <class Vector>
void fill_zeros(typename Vector::Scalar* to, int64_t count) {
  for (; count >= Vector::width; count -= Vector::width, to += Vector::width) Vector::store(to, Vector::zero());
  if (count > 0) Vector::store_partial(to, Vector::zero(), static_cast<int>(count));
}

// Row elements [0, count) take positions first, first + step, ...; only [0, length) of the channel is ever read.
template <class Vector, class Storage>
void copy_segment(const Problem& problem, const Storage* channel, int64_t first, int64_t count,
                  typename Vector::Scalar* row) {
  const int64_t step = problem.stride;
  const int64_t distance = problem.input_strides.time;
  const int64_t length = problem.input_length;
  // [from, to): the elements that are real samples.
  int64_t from = first >= 0 ? 0 : (-first + step - 1) / step;
  int64_t to = length > first ? (length - first + step - 1) / step : 0;
  if (from > count) from = count;
  if (to > count) to = count;
  if (to < from) to = from;

  const auto copy_border = [&](int64_t begin, int64_t end) {
    if (problem.padding_mode == PaddingMode::zeros) return fill_zeros<Vector>(row + begin, end - begin);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t source = source_of(first + i * step, problem);
      row[i] = source < 0 ? typename Vector::Scalar(0) : widen(channel[source * distance]);
    }
  };
  copy_border(0, from);
  if (step * distance == 1) {
    const Storage* samples = channel + first;
    int64_t i = from;
    for (; i + Vector::width <= to; i += Vector::width) Vector::store(row + i, Vector::load(samples + i));
    if (i < to) Vector::store_partial(row + i, Vector::load_partial(samples + i, int(to - i)), int(to - i));
  } else {
    const Storage* samples = channel + first * distance;
    const int64_t apart = step * distance;
    for (int64_t i = from; i < to; ++i) row[i] = widen(samples[i * apart]);
  }
  copy_border(to, count);
}

// Copies `channels` channels, beginning at `input`, for the outputs [time, time + count).
template <class Vector, class Storage>
void copy_rows(const Plan& plan, const Storage* input, int64_t channels, int64_t time, int64_t count,
               typename Vector::Scalar* rows) {
  const Problem& problem = plan.problem;
  const RowLayout& layout = plan.rows;
  const int64_t used = count + (layout.taps_per_segment - 1) * layout.tap_distance;
  // The last vector of a tile reads past `used`; its surplus lanes are thrown away, but must not be slow or trap.
  const int64_t slack_end = used + Vector::width < layout.segment_length ? used + Vector::width : layout.segment_length;
  for (int64_t c = 0; c < channels; ++c) {
    const Storage* channel = input + c * problem.input_strides.channel;
    for (int64_t s = 0; s < layout.segment_count; ++s) {
      typename Vector::Scalar* segment = rows + c * layout.row_length + s * layout.segment_length;
      const int64_t first = time * problem.stride + s * problem.dilation - problem.padding_left;
      copy_segment<Vector>(problem, channel, first, used, segment);
      fill_zeros<Vector>(segment + used, slack_end - used);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
