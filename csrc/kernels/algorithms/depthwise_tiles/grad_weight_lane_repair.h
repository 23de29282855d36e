// Some gradients of long depthwise filters must not be computed by a transform (seen_peaks.h). A transform's rounding
// error in one part of the filter is relative to the sum over all blocks of (sum of |grad_output|) * (largest |x| of
// the block that the part meets). A tap's gradient may be off by no more than what the same sum is over the samples
// that the tap sees. So the first sum is kept while blocks are multiplied, and another one that is no more than any
// tap's. Where they lie too far apart, taps are looked at one by one.
#pragma once

#include "depthwise_inputs.h"
#include "depthwise_tile_plan.h"
#include "kernels/algorithms/transforms/seen_peaks.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/lane_sums.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

template <class Vector, class Storage>
class GradWeightLaneRepair {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;

 public:
  // `sums` holds three vectors for each part, and `rows` five times what repair_row (depthwise_tile_plan.h) says.
  GradWeightLaneRepair(const DepthwiseTilePlan& plan, const GradWeightOperands& operands, Scalar* sums, Scalar* rows)
      : p_(plan.problem),
        cut_(plan.depthwise),
        operands_(operands),
        row_problem_(plan.problem),
        held_(sums),
        seen_(sums + plan.depthwise.filter_parts * width),
        largest_(sums + 2 * plan.depthwise.filter_parts * width),
        gradients_(rows),
        samples_(rows + plan.depthwise.repair_row),
        windows_(rows + 2 * plan.depthwise.repair_row),
        seen_by_taps_(rows + 3 * plan.depthwise.repair_row),
        totals_(rows + 4 * plan.depthwise.repair_row) {
    row_problem_.stride = p_.dilation;  // neighbours in the row of one phase
  }

  void clear() {
    for (int64_t i = 0; i < 3 * cut_.filter_parts; ++i) Vector::store(held_ + i * width, Vector::zero());
  }

  // Adds what block `block` of grad_output, whose magnitudes add up to `gradients`, meets in the inputs' blocks from
  // there on. The last argument says whether the block has all of its outputs. Otherwise taps see less of a block than
  // its pieces tell.
  void add(const DepthwiseInputs<Vector, Storage>& inputs, int64_t block, Register gradients, bool whole) {
    const Register most = Vector::broadcast(std::numeric_limits<Scalar>::max());
    for (int64_t part = 0; part < cut_.filter_parts; ++part) {
      const auto peaks = inputs.peaks_of(block + part);
      const Register all = peaks.all();
      const int64_t end = taps_of(part) + cut_.outputs - 1;  // of the samples that taps of the part see
      Register least = most;
      for (int64_t i = 0; i < inputs.pieces() && (i + 1) * inputs.piece_length() <= end; ++i) {
        least = Vector::smaller_magnitude(least, peaks.piece(i));
      }
      accumulate(gradients, all, held_ + part * width);
      if (whole) accumulate(gradients, least, seen_ + part * width);
      Vector::store(largest_ + part * width, Vector::larger_magnitude(all, Vector::load(largest_ + part * width)));
    }
  }

  // Puts the gradients of taps that no transform may compute in their places among those of a part, [tap][lane].
  void rewrite(int64_t part, int64_t first_channel, int lanes, Scalar* gradients) {
    for (int l = 0; l < lanes; ++l) {
      const int64_t at = part * width + l;
      if (held_[at] == 0 && largest_[at] <= largest_sample<Scalar>) continue;
      if (largest_[at] <= largest_sample<Scalar> && held_[at] <= ratio * seen_[at]) continue;
      rewrite_lane(part, first_channel + l, at, gradients + l);
    }
  }

 private:
  static constexpr Scalar ratio = largest_ratio<Storage>(TileTransform::fourier8);

  // Where grad_output has a zero for the rest of a row, a NaN of the samples counts all the same.
  static void accumulate(Register gradients, Register samples, Scalar* to) {
    Vector::store(to, Vector::multiply_add(gradients, samples, Vector::load(to)));
  }

  int64_t taps_of(int64_t part) const {
    const int64_t left = p_.kernel_size - part * cut_.part_taps;
    return min(left, cut_.part_taps);
  }

  void rewrite_lane(int64_t part, int64_t channel, int64_t at, Scalar* to) {
    const int64_t taps = taps_of(part);
    const bool finite = largest_[at] <= largest_sample<Scalar>;
    for (int64_t k = 0; k < taps + width; ++k) seen_by_taps_[k] = totals_[k] = 0;
    if (finite) {
      for_each_block(part, channel, [&](int64_t count, const RealSamples&) { see(taps, count); });
    }
    const auto is_wanted = [&](int64_t k) { return !finite || !(held_[at] <= ratio * seen_by_taps_[k]); };
    for_each_block(part, channel, [&](int64_t count, const RealSamples& real) {
      for (int64_t k = 0; k < taps;) {
        int64_t end = k;
        while (end < taps && end - k < sums_together && is_wanted(end)) ++end;
        if (end > k) add_products(k, end - k, count, finite ? real : RealSamples{0, count + taps - 1});
        k = max(end, k + 1);
      }
    });
    for (int64_t k = 0; k < taps; ++k) {
      if (is_wanted(k)) to[k * width] = totals_[k];
    }
  }

  // Calls body(count, real) for each block, while gradients_ hold `count` outputs of the block and samples_ what the
  // part's taps meet there, all of which but the `real` ones are zeros.
  template <class Body>
  void for_each_block(int64_t part, int64_t channel, const Body& body) {
    const ActivationStrides& in = p_.input_strides;
    const ActivationStrides& out = p_.output_strides;
    const int64_t group = channel / (p_.out_channels / p_.groups);
    const bool padded_by_zeros = p_.padding_mode == PaddingMode::zeros;
    for (int64_t n = 0; n < p_.batch; ++n) {
      const Storage* const row = static_cast<const Storage*>(operands_.input) + n * in.batch + group * in.channel;
      const Storage* const gradient =
          static_cast<const Storage*>(operands_.grad_output) + n * out.batch + channel * out.channel;
      for (int64_t phase = 0; phase < cut_.dilation_phases; ++phase) {
        const int64_t row_length = ceil_div(p_.output_length - phase, cut_.dilation_phases);
        for (int64_t block = 0; block * cut_.outputs < row_length; ++block) {
          const int64_t first = block * cut_.outputs;
          const int64_t count = cut_.outputs < row_length - first ? cut_.outputs : row_length - first;
          const int64_t length = count + taps_of(part) - 1;
          const int64_t position = (first + part * cut_.outputs) * p_.dilation + phase - p_.padding_left;
          const RealSamples real =
              padded_by_zeros ? real_samples(row_problem_, position, length) : RealSamples{0, length};
          if (real.from == real.to) continue;
          copy_segment<Vector>(row_problem_, row, position, length, samples_);
          const Storage* const from = gradient + (first * cut_.dilation_phases + phase) * out.time;
          for (int64_t t = 0; t < count; ++t) gradients_[t] = widen(from[t * cut_.dilation_phases * out.time]);
          body(count, real);
        }
      }
    }
  }

  void see(int64_t taps, int64_t count) {
    Scalar gradients = 0;
    for (int64_t t = 0; t < count; ++t) gradients += gradients_[t] < 0 ? -gradients_[t] : gradients_[t];
    const int64_t length = count + taps - 1;
    fill_zeros<Vector>(windows_, length + 2 * width);
    fill_zeros<Vector>(samples_ + length, width);
    add_peaks<Vector>(samples_, length, windows_);
    slide_peaks<Vector>(windows_, length, count, 1);
    for (int64_t k = 0; k < taps; k += width) {
      accumulate(Vector::broadcast(gradients), Vector::load(windows_ + k), seen_by_taps_ + k);
    }
  }

  // Taps [k, k + count) share the outputs for which some of them meet real samples.
  void add_products(int64_t k, int64_t taps, int64_t count, const RealSamples& real) {
    const int64_t from = max(real.from - (k + taps - 1), 0);
    const int64_t to = min(real.to - k, count);
    if (from >= to) return;
    Scalar sums[sums_together];
    sum_products<Vector>(gradients_ + from, samples_ + k + from, to - from, taps, sums);
    for (int64_t i = 0; i < taps; ++i) totals_[k + i] += sums[i];
  }

  const Problem& p_;
  const DepthwiseTiles& cut_;
  const GradWeightOperands& operands_;
  Problem row_problem_;
  Scalar* const held_;     // [part][lane]: the sum that transforms hold
  Scalar* const seen_;     // [part][lane]: what every tap sees of it at the least
  Scalar* const largest_;  // [part][lane]: the largest samples
  Scalar* const gradients_;
  Scalar* const samples_;
  Scalar* const windows_;
  Scalar* const seen_by_taps_;
  Scalar* const totals_;
};

}  // namespace
}  // namespace tapconv::kernels
