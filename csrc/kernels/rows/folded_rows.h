// Rows that hold the outputs of all samples one after the other (RowPlan::folded), in a segment for each tap.
#pragma once

#include "kernels/core/row_plan.h"
#include "padding.h"
#include "row_segments.h"

namespace tapconv::kernels {
namespace {

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
  RealSamples real_[max_taps_folded_by_vectors];
};

// Copies `channels` channels for `count` outputs, counted through all samples, from number `first_output` on: a segment
// for each tap, which holds what the tap reads for one sample after the other.
template <class Vector, class Storage>
void copy_folded_rows(const RowPlan& plan, const Storage* input, int64_t channels, int64_t first_output, int64_t count,
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

}  // namespace
}  // namespace tapconv::kernels
