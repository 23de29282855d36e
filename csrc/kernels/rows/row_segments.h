// Segments of rows (core/row_layout.h): evenly spaced samples of one channel, padded and widened.
#pragma once

#include <type_traits>

#include "kernels/core/integers.h"
#include "kernels/numbers/storage.h"
#include "kernels/problem.h"
#include "padding.h"

namespace tapconv::kernels {
namespace {

// A stored number as a row holds it: as it is, or widened.
template <class Scalar, class Storage>
Scalar to_row(Storage value) {
  if constexpr (std::is_same_v<Scalar, Storage>) {
    return value;
  } else {
    return widen(value);
  }
}

template <class Vector>
void fill_zeros(typename Vector::Scalar* to, int64_t count) {
  for (; count >= Vector::width; count -= Vector::width, to += Vector::width) Vector::store(to, Vector::zero());
  if (count > 0) Vector::store_partial(to, Vector::zero(), static_cast<int>(count));
}

// The elements [from, to) of a row that are real samples; those before and after are padding.
struct RealSamples {
  int64_t from;
  int64_t to;
};

// Row elements [0, count) take positions first, first + stride, ...
inline RealSamples real_samples(const Problem& problem, int64_t first, int64_t count) {
  const int64_t step = problem.stride;
  const int64_t length = problem.input_length;
  if (first >= 0 && first + (count - 1) * step < length) return {0, count};
  // Divisions take as long as copying a dozen samples.
  const auto steps_to = [step](int64_t distance) { return step == 1 ? distance : ceil_div(distance, step); };
  int64_t from = first >= 0 ? 0 : steps_to(-first);
  int64_t to = length > first ? steps_to(length - first) : 0;
  if (from > count) from = count;
  if (to > count) to = count;
  if (to < from) to = from;
  return {from, to};
}

template <class Vector, class Storage>
void copy_border(const Problem& problem, const Storage* channel, int64_t first, int64_t begin, int64_t end,
                 typename Vector::Scalar* row) {
  using Scalar = typename Vector::Scalar;
  if (problem.padding_mode == PaddingMode::zeros) return fill_zeros<Vector>(row + begin, end - begin);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t source = source_of(first + i * problem.stride, problem);
    row[i] = source < 0 ? Scalar{} : to_row<Scalar>(channel[source * problem.input_strides.time]);
  }
}

// Row elements [from, to) take every `apart`-th element from `samples` on; none at or past `end` is read. Whole vectors
// are loaded and the wanted lanes of `apart` of them merged, which is several times faster than one by one.
template <class Vector, class Storage>
void copy_strided(const Storage* samples, const Storage* end, int64_t apart, int64_t from, int64_t to,
                  typename Vector::Scalar* row) {
  int64_t i = from;
  if (apart > 1 && apart <= Vector::max_merged_vectors) {
    typename Vector::Merge merges[Vector::max_merged_vectors];
    for (int j = 0; j < apart; ++j) merges[j] = Vector::merge_of(static_cast<int>(apart), j);
    const int64_t readable = (end - samples) / (Vector::width * apart) * Vector::width;
    for (; i + Vector::width <= to && i + Vector::width <= readable; i += Vector::width) {
      const Storage* next = samples + i * apart;
      auto merged = Vector::zero();
      for (int j = 0; j < apart; ++j, next += Vector::width) {
        merged = Vector::merged(merged, Vector::load(next), merges[j]);
      }
      Vector::store(row + i, merged);
    }
  }
  for (; i < to; ++i) row[i] = to_row<typename Vector::Scalar>(samples[i * apart]);
}

// Row elements [0, count) of some channels take positions from `first` on, whose samples follow each other; zeros fill
// them up to `slack_end`. Where the padding ends is the same for all channels, and found once: finding it takes longer
// than copying a short row.
template <class Vector, class Storage>
void copy_dense_segments(const Problem& problem, const Storage* input, int64_t channels, int64_t first, int64_t count,
                         int64_t slack_end, typename Vector::Scalar* row, int64_t row_length) {
  constexpr int width = Vector::width;
  const RealSamples real = real_samples(problem, first, count);
  const bool is_padded = real.from > 0 || real.to < count;
  // Zeros behind the samples come with their last vector, which has room: rows are whole vectors long.
  const int64_t whole_end = real.from + (real.to - real.from) / width * width;
  const int left = static_cast<int>(real.to - whole_end);
  const bool zeros_follow = left > 0 && !is_padded && whole_end + width <= slack_end;
  const int64_t slack = zeros_follow ? whole_end + width : count;
  for (int64_t c = 0; c < channels; ++c, input += problem.input_strides.channel, row += row_length) {
    if (is_padded) {
      copy_border<Vector>(problem, input, first, 0, real.from, row);
      copy_border<Vector>(problem, input, first, real.to, count, row);
    }
    const Storage* const samples = input + first;
    for (int64_t i = real.from; i < whole_end; i += width) Vector::store(row + i, Vector::load(samples + i));
    if (zeros_follow) {
      Vector::store(row + whole_end, Vector::load_partial(samples + whole_end, left));
    } else if (left > 0) {
      Vector::store_partial(row + whole_end, Vector::load_partial(samples + whole_end, left), left);
    }
    fill_zeros<Vector>(row + slack, slack_end - slack);
  }
}

// Row elements [0, count) take positions first, first + stride, ...; only [0, length) of the channel is ever read.
template <class Vector, class Storage>
void copy_segment(const Problem& problem, const Storage* channel, int64_t first, int64_t count,
                  typename Vector::Scalar* row) {
  const int64_t distance = problem.input_strides.time;
  const int64_t apart = problem.stride * distance;
  if (apart == 1) return copy_dense_segments<Vector>(problem, channel, 1, first, count, count, row, 0);
  const RealSamples real = real_samples(problem, first, count);
  copy_border<Vector>(problem, channel, first, 0, real.from, row);
  copy_strided<Vector>(channel + first * distance, channel + (problem.input_length - 1) * distance + 1, apart,
                       real.from, real.to, row);
  copy_border<Vector>(problem, channel, first, real.to, count, row);
}

// Elements [from, to) of up to a vector of rows, whose samples lie side by side, those of one row `apart`: loaded by
// time, transposed, and stored by row. Zeros follow up to `room`, in the last vector at the most.
template <class Vector, class Storage>
void copy_transposed(const Storage* samples, int row_count, int64_t apart, int64_t from, int64_t to, int64_t room,
                     typename Vector::Scalar* rows, int64_t row_distance) {
  constexpr int width = Vector::width;
  for (int64_t i = from; i < to; i += width) {
    const int times = to - i < width ? static_cast<int>(to - i) : width;
    const int stored = room - i < width ? static_cast<int>(room - i) : width;
    typename Vector::Register block[width];
    for (int t = 0; t < width; ++t) {
      const Storage* const at = samples + (i + t) * apart;
      block[t] = t >= times           ? Vector::zero()
                 : row_count == width ? Vector::load(at)
                                      : Vector::load_partial(at, row_count);
    }
    Vector::transpose(block);
    for (int r = 0; r < row_count; ++r) {
      auto* const row = rows + r * row_distance + i;
      stored == width ? Vector::store(row, block[r]) : Vector::store_partial(row, block[r], stored);
    }
  }
}

// One segment of up to a vector of neighbouring channels whose samples lie side by side.
template <class Vector, class Storage>
void copy_neighbouring_channels(const Problem& problem, const Storage* channels, int channel_count, int64_t first,
                                int64_t count, typename Vector::Scalar* rows, int64_t row_length) {
  const int64_t distance = problem.input_strides.time;
  const RealSamples real = real_samples(problem, first, count);
  for (int c = 0; c < channel_count; ++c) {
    copy_border<Vector>(problem, channels + c, first, 0, real.from, rows + c * row_length);
    copy_border<Vector>(problem, channels + c, first, real.to, count, rows + c * row_length);
  }
  copy_transposed<Vector>(channels + first * distance, channel_count, problem.stride * distance, real.from, real.to,
                          real.to, rows, row_length);
}

// All segments of one channel, where neighbouring ones read neighbouring samples: the first one's position of element 0
// is `first`, the next one's one later. A vector of segments at a time; elements that are padding in some of them are
// copied one by one. Zeros fill them up to `slack_end`.
template <class Vector, class Storage>
void copy_neighbouring_segments(const Problem& problem, const Storage* channel, int64_t segment_count, int64_t first,
                                int64_t count, int64_t slack_end, typename Vector::Scalar* segments,
                                int64_t segment_length) {
  constexpr int width = Vector::width;
  const int64_t apart = problem.stride;
  const Storage* const end = channel + problem.input_length;
  for (int64_t s = 0; s < segment_count; s += width, first += width, segments += width * segment_length) {
    const int here = segment_count - s < width ? static_cast<int>(segment_count - s) : width;
    const int64_t from = real_samples(problem, first, count).from;
    const int64_t to = real_samples(problem, first + here - 1, count).to;
    const bool is_padded = from > 0 || to < count;
    const int64_t transposed_end = is_padded ? to : min(rounded_up(count, width), slack_end);
    copy_transposed<Vector>(channel + first, here, apart, from, to, transposed_end, segments, segment_length);
    for (int i = 0; i < here; ++i) {
      auto* const segment = segments + i * segment_length;
      if (!is_padded) {
        fill_zeros<Vector>(segment + transposed_end, slack_end - transposed_end);
        continue;
      }
      const RealSamples real = real_samples(problem, first + i, count);
      const int64_t all_from = from < real.to ? from : real.to;
      const int64_t all_to = to > all_from ? to : all_from;
      copy_border<Vector>(problem, channel, first + i, 0, real.from, segment);
      copy_strided<Vector>(channel + first + i, end, apart, real.from, all_from, segment);
      copy_strided<Vector>(channel + first + i, end, apart, all_to, real.to, segment);
      copy_border<Vector>(problem, channel, first + i, real.to, count, segment);
      fill_zeros<Vector>(segment + count, slack_end - count);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
