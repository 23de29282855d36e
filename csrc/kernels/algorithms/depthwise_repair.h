// Outputs of long depthwise filters that no transform may compute (seen_peaks.h): one channel's outputs of one block
// are looked at one by one, and added up directly where they see little beside what the block's transforms hold.
#pragma once

#include <limits>

#include "../filter_kinds.h"
#include "../kernel_table.h"
#include "../rows.h"
#include "lane_sums.h"
#include "seen_peaks.h"

namespace tapconv::kernels {
namespace {

// One channel, one sample, one phase of the dilation: outputs [first, first + count) of that row.
struct DepthwiseOutputs {
  int64_t channel;  // output channel
  int64_t sample;
  int64_t phase;
  int64_t first;
  int64_t count;
};

template <class Vector, class Storage>
class DepthwiseRepair {
  using Scalar = typename Vector::Scalar;
  static constexpr int width = Vector::width;

 public:
  DepthwiseRepair(const Plan& plan, const ForwardOperands& operands, Scalar* memory)
      : plan_(plan),
        problem_(plan.problem),
        operands_(operands),
        row_problem_(plan.problem),
        taps_(memory),
        row_(taps_ + plan.depthwise.repair_row),
        windows_(row_ + plan.depthwise.repair_row),
        sums_(windows_ + plan.depthwise.repair_row) {
    row_problem_.stride = problem_.dilation;  // neighbours in the row of one phase
  }

  // The row of the outputs that follow.
  void select(const DepthwiseOutputs& outputs) {
    const ActivationStrides& strides = problem_.input_strides;
    const int64_t group = outputs.channel / (problem_.out_channels / problem_.groups);
    // Filters of a group read one row.
    const bool same_row = group == group_ && outputs.sample == outputs_.sample && outputs.phase == outputs_.phase &&
                          outputs.first == outputs_.first;
    outputs_ = outputs;
    group_ = group;
    if (same_row) return;
    seen_ = Seen::nothing;
    const Storage* const channel =
        static_cast<const Storage*>(operands_.input) + outputs.sample * strides.batch + group * strides.channel;
    const int64_t position = outputs.first * problem_.dilation + outputs.phase - problem_.padding_left;
    length_ = outputs.count + problem_.kernel_size - 1;
    copy_segment<Vector>(row_problem_, channel, position, length_, row_);
    const bool padded_by_zeros = problem_.padding_mode == PaddingMode::zeros;
    real_ = padded_by_zeros ? real_samples(row_problem_, position, length_) : RealSamples{0, length_};
  }

  // Rewrites the outputs that see too little beside `largest`.
  template <class To>
  void rewrite_uneven(Scalar largest, Scalar ratio, To* output) {
    see(Seen::samples, [this](int64_t i) { return row_[i]; });
    // Zeros may be left out, but not where they meet infinities.
    const bool finite = largest <= largest_sample<Scalar>;
    rewrite(finite, [=, this](int64_t j) { return is_uneven(largest, windows_[j], ratio); }, output);
  }

  // Those that see whole numbers only.
  template <class To>
  void rewrite_whole(To* output) {
    see(Seen::fractions, [this](int64_t i) { return row_[i] - round_to_whole(row_[i]) == 0 ? Scalar(0) : Scalar(1); });
    rewrite(true, [this](int64_t j) { return windows_[j] == 0; }, output);
  }

  template <class To>
  void rewrite_all(bool finite, To* output) {
    rewrite(finite, [](int64_t) { return true; }, output);
  }

 private:
  enum class Seen : uint8_t { nothing, samples, fractions };

  static float round_to_whole(float x) { return __builtin_rintf(x); }
  static double round_to_whole(double x) { return __builtin_rint(x); }

  // windows_[j] becomes the largest magnitude of value(i) under the taps of output j.
  template <class Value>
  void see(Seen what, const Value& value) {
    if (seen_ == what) return;
    seen_ = what;
    for (int64_t i = 0; i < length_; ++i) windows_[i] = value(i);
    fill_zeros<Vector>(windows_ + length_, 2 * width);
    for (int64_t i = 0; i < length_; i += width) {
      Vector::store(windows_ + i, Vector::larger_magnitude(Vector::zero(), Vector::load(windows_ + i)));
    }
    slide_peaks<Vector>(windows_, length_, problem_.kernel_size, 1);
  }

  template <class Wanted, class To>
  void rewrite(bool finite, const Wanted& wanted, To* output) {
    bool have_taps = false;
    for (int64_t j = 0; j < outputs_.count;) {
      if (!wanted(j)) {
        ++j;
        continue;
      }
      int64_t end = j + 1;
      while (end < outputs_.count && wanted(end)) ++end;
      if (!have_taps) gather_taps(finite);
      have_taps = true;
      for (; j < end; j += sums_together) add_up(j, end - j < sums_together ? end - j : sums_together, finite, output);
      j = end;
    }
  }

  void gather_taps(bool finite) {
    const int64_t group_out = problem_.out_channels / problem_.groups;
    const Storage* const filter = static_cast<const Storage*>(operands_.weight) +
                                  outputs_.channel / group_out * plan_.variant.weight_group_stride +
                                  outputs_.channel % group_out * problem_.weight_strides.out_channel;
    first_tap_ = problem_.kernel_size;
    last_tap_ = 0;
    for (int64_t k = 0; k < problem_.kernel_size; ++k) {
      taps_[k] = widen(filter[k * problem_.weight_strides.tap]);
      if (taps_[k] == 0) continue;
      if (k < first_tap_) first_tap_ = k;
      last_tap_ = k + 1;
      if (!(taps_[k] - taps_[k] == 0)) finite = false;
    }
    finite_taps_ = finite;
    if (!finite) first_tap_ = 0, last_tap_ = problem_.kernel_size;
  }

  // Outputs [j, j + count), which share the taps that meet samples other than padding for some of them.
  template <class To>
  void add_up(int64_t j, int64_t count, bool finite, To* output) {
    int64_t from = first_tap_;
    int64_t to = last_tap_;
    if (finite && finite_taps_) {
      if (real_.from - (j + count - 1) > from) from = real_.from - (j + count - 1);
      if (real_.to - j < to) to = real_.to - j;
    }
    sum_products<Vector>(taps_ + from, row_ + j + from, to > from ? to - from : 0, count, sums_);
    const Scalar bias =
        operands_.bias == nullptr ? Scalar(0) : widen(static_cast<const Storage*>(operands_.bias)[outputs_.channel]);
    const ActivationStrides& strides = problem_.output_strides;
    To* const at = output + outputs_.sample * strides.batch + outputs_.channel * strides.channel;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t time = (outputs_.first + j + i) * problem_.dilation + outputs_.phase;
      narrow(static_cast<Scalar>(sums_[i] + bias), &at[time * strides.time]);
    }
  }

  const Plan& plan_;
  const Problem& problem_;
  const ForwardOperands& operands_;
  Problem row_problem_;
  Scalar* const taps_;
  Scalar* const row_;
  Scalar* const windows_;
  Scalar* const sums_;
  DepthwiseOutputs outputs_{};
  int64_t group_ = -1;
  Seen seen_ = Seen::nothing;  // what windows_ is made of
  int64_t length_ = 0;         // of the row
  RealSamples real_{};         // of the row: the others are zeros
  int64_t first_tap_ = 0;
  int64_t last_tap_ = 0;  // taps before the first and from the last one on are zeros
  bool finite_taps_ = true;
};

}  // namespace
}  // namespace tapconv::kernels
