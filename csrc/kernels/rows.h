// The copy: one input channel becomes one row, padded, widened and split into segments (plan.h, RowLayout).
#pragma once

#include <type_traits>

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
  // Divisions take as long as copying a dozen samples.
  const auto steps_to = [step](int64_t distance) { return step == 1 ? distance : (distance + step - 1) / step; };
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
  if (apart > 1 && apart <= Vector::most_merged_vectors) {
    typename Vector::Merge merges[Vector::most_merged_vectors];
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

// Row elements [0, count) take positions first, first + stride, ...; only [0, length) of the channel is ever read.
template <class Vector, class Storage>
void copy_segment(const Problem& problem, const Storage* channel, int64_t first, int64_t count,
                  typename Vector::Scalar* row) {
  const int64_t distance = problem.input_strides.time;
  const int64_t apart = problem.stride * distance;
  const RealSamples real = real_samples(problem, first, count);
  const Storage* const samples = channel + first * distance;
  copy_border<Vector>(problem, channel, first, 0, real.from, row);
  if (apart == 1) {
    int64_t i = real.from;
    for (; i + Vector::width <= real.to; i += Vector::width) Vector::store(row + i, Vector::load(samples + i));
    const int left = static_cast<int>(real.to - i);
    if (left > 0) Vector::store_partial(row + i, Vector::load_partial(samples + i, left), left);
  } else {
    copy_strided<Vector>(samples, channel + (problem.input_length - 1) * distance + 1, apart, real.from, real.to, row);
  }
  copy_border<Vector>(problem, channel, first, real.to, count, row);
}

// The same for up to a vector of neighbouring channels whose samples lie side by side: loaded by time, transposed, and
// stored by channel.
template <class Vector, class Storage>
void copy_neighbouring_channels(const Problem& problem, const Storage* channels, int channel_count, int64_t first,
                                int64_t count, typename Vector::Scalar* rows, int64_t row_length) {
  constexpr int width = Vector::width;
  const int64_t distance = problem.input_strides.time;
  const int64_t apart = problem.stride * distance;
  const RealSamples real = real_samples(problem, first, count);
  const Storage* const samples = channels + first * distance;
  for (int c = 0; c < channel_count; ++c) {
    copy_border<Vector>(problem, channels + c, first, 0, real.from, rows + c * row_length);
    copy_border<Vector>(problem, channels + c, first, real.to, count, rows + c * row_length);
  }
  for (int64_t i = real.from; i < real.to; i += width) {
    const int times = real.to - i < width ? static_cast<int>(real.to - i) : width;
    typename Vector::Register block[width];
    for (int t = 0; t < width; ++t) {
      const Storage* const from = samples + (i + (t < times ? t : 0)) * apart;
      block[t] = channel_count == width ? Vector::load(from) : Vector::load_partial(from, channel_count);
    }
    Vector::transpose(block);
    for (int c = 0; c < channel_count; ++c) Vector::store_partial(rows + c * row_length + i, block[c], times);
  }
}

// What copy_segment does, for a handful of elements: no division, no vectors where a stride lies between samples.
template <class Vector, class Storage>
void copy_piece(const Problem& problem, const Storage* channel, int64_t first, int64_t count,
                typename Vector::Scalar* row) {
  using Scalar = typename Vector::Scalar;
  const int64_t distance = problem.input_strides.time;
  const auto copy_one_by_one = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t source = source_of(first + i * problem.stride, problem);
      row[i] = source < 0 ? Scalar{} : to_row<Scalar>(channel[source * distance]);
    }
  };
  if (problem.stride * distance != 1) return copy_one_by_one(0, count);
  int64_t i = first < 0 ? -first : 0;
  int64_t end = problem.input_length - first < count ? problem.input_length - first : count;
  if (i >= end) return copy_one_by_one(0, count);
  copy_one_by_one(0, i);
  copy_one_by_one(end, count);
  for (; i < end; i += Vector::width) {
    const int here = end - i < Vector::width ? static_cast<int>(end - i) : Vector::width;
    Vector::store_partial(row + i, Vector::load_partial(channel + first + i, here), here);
  }
}

// Whole samples of at most a vector of outputs each, side by side in a segment for each tap of each channel. Which
// lanes of an output are padding depends on the tap alone. Samples lie far apart, and so do segments: a few channels go
// through all samples before the next ones, so that both stay in the first-level cache.
template <class Vector, class Storage>
class ShortSamples {
  static constexpr int64_t channels_together = 8;

 public:
  explicit ShortSamples(const Problem& problem) : problem_(problem) {
    usable_ = folds_by_vectors(problem, Vector::width);
    for (int64_t k = 0; usable_ && k < problem.kernel_size; ++k) {
      real_[k] = real_samples(problem, k * problem.dilation - problem.padding_left, problem.output_length);
    }
  }

  bool usable() const { return usable_; }

  // From `input` on, to `rows`, which take `room` elements in each segment and get no more.
  void copy(const RowLayout& layout, const Storage* input, int64_t channels, int64_t samples, int64_t room,
            typename Vector::Scalar* rows) const {
    if (samples == 0) return;  // as where this is not usable, and knows nothing of the taps
    // Vectors that are stored whole reach into the next sample's place, which is written after them.
    int64_t whole = room < Vector::width ? 0 : (room - Vector::width) / problem_.output_length + 1;
    if (whole > samples) whole = samples;
    for (int64_t first = 0; first < channels; first += channels_together) {
      const int64_t here = first + channels_together < channels ? channels_together : channels - first;
      const Storage* const from = input + first * problem_.input_strides.channel - problem_.padding_left;
      typename Vector::Scalar* const to = rows + first * layout.row_length;
      for (int64_t k = 0; k < problem_.kernel_size; ++k) {
        const Storage* const tap_from = from + k * problem_.dilation;
        typename Vector::Scalar* const tap_to = to + k * layout.segment_length;
        copy_tap<true>(k, tap_from, here, 0, whole, tap_to, layout.row_length);
        copy_tap<false>(k, tap_from, here, whole, samples, tap_to, layout.row_length);
      }
    }
  }

 private:
  // What a tap reads of the samples [first, last), of some channels.
  template <bool Whole>
  void copy_tap(int64_t k, const Storage* input, int64_t channels, int64_t first, int64_t last,
                typename Vector::Scalar* rows, int64_t row_length) const {
    const int from = static_cast<int>(real_[k].from);
    const int count = static_cast<int>(real_[k].to) - from;
    for (int64_t n = first; n < last; ++n) {
      const Storage* channel = input + n * problem_.input_strides.batch;
      typename Vector::Scalar* to = rows + n * problem_.output_length;
      for (int64_t c = 0; c < channels; ++c, channel += problem_.input_strides.channel, to += row_length) {
        const auto values = count > 0 ? Vector::load_some(channel + from, from, count) : Vector::zero();
        if constexpr (Whole) {
          Vector::store(to, values);
        } else {
          Vector::store_partial(to, values, static_cast<int>(problem_.output_length));
        }
      }
    }
  }

  const Problem& problem_;
  bool usable_;
  RealSamples real_[most_taps_folded_by_vectors];
};

// Copies `channels` channels for `count` outputs, counted through all samples, from number `first_output` on: a segment
// for each tap, which holds what the tap reads for one sample after the other.
template <class Vector, class Storage>
void copy_folded_rows(const Plan& plan, const Storage* input, int64_t channels, int64_t first_output, int64_t count,
                      typename Vector::Scalar* rows) {
  const Problem& problem = plan.problem;
  const RowLayout& layout = plan.rows;
  const int64_t length = problem.output_length;
  const ShortSamples<Vector, Storage> short_samples(problem);
  const int64_t first_time = first_output % length;
  const int64_t head = first_time == 0 ? 0 : length - first_time < count ? length - first_time : count;
  const int64_t whole = short_samples.usable() ? (count - head) / length : 0;
  input += first_output / length * problem.input_strides.batch;
  short_samples.copy(layout, input + (head > 0 ? problem.input_strides.batch : 0), channels, whole, count - head,
                     rows + head);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < problem.kernel_size; ++k) {
      typename Vector::Scalar* const segment = rows + c * layout.row_length + k * layout.segment_length;
      const Storage* channel = input + c * problem.input_strides.channel;
      int64_t time = first_time;
      for (int64_t at = 0; at < count; channel += problem.input_strides.batch) {
        if (at == head && whole > 0) {
          at += whole * length;
          channel += (whole - 1) * problem.input_strides.batch;
          time = 0;
          continue;
        }
        const int64_t left = length - time;
        const int64_t here = left < count - at ? left : count - at;
        const int64_t first = time * problem.stride + k * problem.dilation - problem.padding_left;
        copy_piece<Vector>(problem, channel, first, here, segment + at);
        at += here;
        time = 0;
      }
      fill_zeros<Vector>(segment + count, layout.segment_length - count);
    }
  }
}

// Can registers be transposed, as neighbouring channels need?
template <class Vector>
inline constexpr bool can_transpose = requires { &Vector::transpose; };

// Copies `channels` channels, beginning at `input`, for the outputs [time, time + count).
template <class Vector, class Storage>
void copy_rows(const Plan& plan, const Storage* input, int64_t channels, int64_t time, int64_t count,
               typename Vector::Scalar* rows) {
  if (plan.folded) return copy_folded_rows<Vector>(plan, input, channels, time, count, rows);
  const Problem& problem = plan.problem;
  const RowLayout& layout = plan.rows;
  const int64_t used = count + (layout.taps_per_segment - 1) * layout.tap_distance;
  // The last vector of a tile reads past `used`; its surplus lanes are thrown away, but must not be slow or trap.
  const int64_t slack_end = used + Vector::width < layout.segment_length ? used + Vector::width : layout.segment_length;
  const bool side_by_side =
      can_transpose<Vector> && problem.input_strides.channel == 1 && problem.input_strides.time != 1 && channels > 1;
  const int64_t together = side_by_side ? Vector::width : 1;
  for (int64_t c = 0; c < channels; c += together) {
    const Storage* const channel = input + c * problem.input_strides.channel;
    const int here = static_cast<int>(channels - c < together ? channels - c : together);
    for (int64_t s = 0; s < layout.segment_count; ++s) {
      typename Vector::Scalar* const segment = rows + c * layout.row_length + s * layout.segment_length;
      const int64_t first = time * problem.stride + s * problem.dilation - problem.padding_left;
      if constexpr (can_transpose<Vector>) {
        if (side_by_side) {
          copy_neighbouring_channels<Vector>(problem, channel, here, first, used, segment, layout.row_length);
        }
      }
      if (!side_by_side) copy_segment<Vector>(problem, channel, first, used, segment);
      for (int i = 0; i < here; ++i) {
        fill_zeros<Vector>(segment + i * layout.row_length + used, slack_end - used);
      }
    }
  }
}

// Do the lanes of a row hold pairs of input channels (simd/avx512_bf16.h)?
template <class Vector>
inline constexpr bool has_pairs = requires { &Vector::pair; };

// Copies `channels` channels as rows of pairs; the last one may be half empty. `spare` has room for one row.
template <class Vector, class Storage>
void copy_pairs(const Plan& plan, const Storage* input, int64_t channels, int64_t time, int64_t count,
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
