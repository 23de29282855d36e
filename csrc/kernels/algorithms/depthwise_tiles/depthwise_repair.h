// Some outputs of long depthwise filters must not be computed by a transform (seen_peaks.h). Here one channel's outputs
// of one block are looked at one by one, and added up directly where they see little beside what the transforms of the
// block hold.
#pragma once

#include <limits>

#include "depthwise_tile_plan.h"
#include "kernels/algorithms/transforms/seen_peaks.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/filter_kinds.h"
#include "kernels/numbers/lane_sums.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

// Outputs [first, first + count) of the row of one channel, one sample and one phase of the dilation.
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
  DepthwiseRepair(const DepthwiseTilePlan& plan, const ForwardOperands& operands, Scalar* memory)
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

  // Selects the row of the outputs that follow. Unless taps are finite, every zero counts.
  void select(const DepthwiseOutputs& outputs, bool finite_taps) {
    const ActivationStrides& strides = problem_.input_strides;
    const int64_t group = outputs.channel / (problem_.out_channels / problem_.groups);
    // The filters of a group read one row.
    const bool same_row = group == group_ && outputs.sample == outputs_.sample && outputs.phase == outputs_.phase &&
                          outputs.first == outputs_.first && finite_taps == finite_taps_;
    outputs_ = outputs;
    group_ = group;
    finite_taps_ = finite_taps;
    if (same_row) return;
    seen_ = Seen::nothing;
    const Storage* const channel =
        static_cast<const Storage*>(operands_.input) + outputs.sample * strides.batch + group * strides.channel;
    int64_t position = outputs.first * problem_.dilation + outputs.phase - problem_.padding_left;
    length_ = outputs.count + problem_.kernel_size - 1;
    skipped_ = skipped_behind_ = 0;
    real_ = {0, length_};
    if (problem_.padding_mode == PaddingMode::zeros && finite_taps) {
      real_ = real_samples(row_problem_, position, length_);
      // Zeros that no output sees the beginning of, or the end, make no difference. Rows of long filters are mostly
      // padding near their ends.
      const int64_t needed = outputs.count - 1;
      skipped_ = clamped(real_.from - needed, problem_.kernel_size - 1);
      skipped_behind_ = clamped(length_ - needed - real_.to, problem_.kernel_size - 1 - skipped_);
      length_ -= skipped_ + skipped_behind_;
      position += skipped_ * problem_.dilation;
    }
    copy_segment<Vector>(row_problem_, channel, position, length_, row_);
  }

  // Rewrites the outputs that see too little beside `largest`.
  template <class To>
  void rewrite_uneven(Scalar largest, Scalar ratio, To* output) {
    see(Seen::samples, [this](int64_t i) { return row_[i]; });
    // Zeros may be left out, but not where they meet infinities.
    const bool finite = largest <= largest_sample<Scalar>;
    rewrite(finite, [=](Scalar seen) { return is_uneven(largest, seen, ratio); }, output);
  }

  // Rewrites the outputs that see whole numbers only.
  template <class To>
  void rewrite_whole(To* output) {
    see(Seen::fractions, [this](int64_t i) { return row_[i] - round_to_whole(row_[i]) == 0 ? Scalar(0) : Scalar(1); });
    rewrite(true, [](Scalar seen) { return seen == 0; }, output);
  }

  template <class To>
  void rewrite_all(bool finite, To* output) {
    rewrite(finite, [](Scalar) { return true; }, output);
  }

 private:
  enum class Seen : uint8_t { nothing, samples, fractions };

  static float round_to_whole(float x) { return __builtin_rintf(x); }
  static double round_to_whole(double x) { return __builtin_rint(x); }

  // Sets windows_[j] to the largest magnitude of value(i) under the taps of output j.
  template <class Value>
  void see(Seen what, const Value& value) {
    if (seen_ == what) return;
    seen_ = what;
    for (int64_t i = 0; i < length_; ++i) windows_[i] = value(i);
    fill_zeros<Vector>(windows_ + length_, 2 * width);
    for (int64_t i = 0; i < length_; i += width) {
      Vector::store(windows_ + i, Vector::larger_magnitude(Vector::zero(), Vector::load(windows_ + i)));
    }
    slide_peaks<Vector>(windows_, length_, problem_.kernel_size - skipped_ - skipped_behind_, 1);
  }

  static int64_t clamped(int64_t count, int64_t most) { return count < 0 ? 0 : count < most ? count : most; }

  // The smallest window of so many outputs tells whether any of them is wanted.
  static constexpr int64_t outputs_together = 32;

  // Rewrites the outputs whose windows are `wanted`. If a window is wanted, so is every smaller one. `finite` says that
  // neither samples nor taps hold a NaN or an infinity, so that all zeros may be left out.
  template <class Wanted, class To>
  void rewrite(bool finite, const Wanted& wanted, To* output) {
    bool have_taps = false;
    for (int64_t first = 0; first < outputs_.count; first += outputs_together) {
      const int64_t count = min(outputs_.count - first, outputs_together);
      if (!wanted(smallest_of<Vector>(windows_ + first, count))) continue;
      // The taps of all outputs from here on are gathered at once: mostly there are no others, or not many.
      if (!have_taps) gather_taps(taps_of(first, outputs_.count - first, finite), finite);
      have_taps = true;
      for (int64_t j = first; j < first + count;) {
        int64_t end = j;
        while (end < first + count && end - j < sums_together && wanted(windows_[end])) ++end;
        if (end > j) add_up(j, end - j, finite, output);
        j = max(end, j + 1);
      }
    }
  }

  struct Taps {
    int64_t first;
    int64_t last;  // the first one that does not belong to them
  };

  // Returns the taps that meet samples other than padding for some of `count` outputs.
  Taps taps_of(int64_t output, int64_t count, bool finite) const {
    if (!finite) return {skipped_, problem_.kernel_size - skipped_behind_};
    const int64_t first = real_.from - (output + count - 1);
    const int64_t last = real_.to - output;
    return {max(first, 0), min(last, problem_.kernel_size)};
  }

  void gather_taps(const Taps& taps, bool finite) {
    const int64_t group_out = problem_.out_channels / problem_.groups;
    const Storage* const filter = static_cast<const Storage*>(operands_.weight) +
                                  outputs_.channel / group_out * plan_.variant.weight_group_stride +
                                  outputs_.channel % group_out * problem_.weight_strides.out_channel;
    for (int64_t k = taps.first; k < taps.last; ++k) taps_[k] = widen(filter[k * problem_.weight_strides.tap]);
    others_than_zero_ = taps;
    if (!finite) return;
    Taps& left = others_than_zero_;
    while (left.first < left.last && taps_[left.first] == 0) ++left.first;
    while (left.first < left.last && taps_[left.last - 1] == 0) --left.last;
  }

  // Adds up outputs [j, j + count), which share their taps.
  template <class To>
  void add_up(int64_t j, int64_t count, bool finite, To* output) {
    const Taps taps = taps_of(j, count, finite);
    const int64_t first = max(taps.first, others_than_zero_.first);
    const int64_t last = min(taps.last, others_than_zero_.last);
    sum_products<Vector>(taps_ + first, row_ + j + first - skipped_, last > first ? last - first : 0, count, sums_);
    const Scalar bias =
        operands_.bias == nullptr ? Scalar(0) : widen(static_cast<const Storage*>(operands_.bias)[outputs_.channel]);
    const ActivationStrides& strides = problem_.output_strides;
    To* const at = output + outputs_.sample * strides.batch + outputs_.channel * strides.channel;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t time = (outputs_.first + j + i) * problem_.dilation + outputs_.phase;
      narrow(static_cast<Scalar>(sums_[i] + bias), &at[time * strides.time]);
    }
  }

  const DepthwiseTilePlan& plan_;
  const Problem& problem_;
  const ForwardOperands& operands_;
  Problem row_problem_;
  Scalar* const taps_;
  Scalar* const row_;
  Scalar* const windows_;
  Scalar* const sums_;
  DepthwiseOutputs outputs_{};
  int64_t group_ = -1;
  bool finite_taps_ = true;
  Seen seen_ = Seen::nothing;  // what windows_ is made of
  RealSamples real_{};         // of what the outputs see: the others are zeros
  // These are the zeros at both ends of the row that are left out, and what remains.
  int64_t skipped_ = 0;
  int64_t skipped_behind_ = 0;
  int64_t length_ = 0;
  Taps others_than_zero_{};
};

}  // namespace
}  // namespace tapconv::kernels
