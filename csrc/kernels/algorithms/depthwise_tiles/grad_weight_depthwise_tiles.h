// The weight gradient of long depthwise filters is the sum of depthwise_tiles.h with the roles of filter and output
// exchanged: blocks of grad_output are transformed like filters, and the products of block b with the input's block b +
// p add up to the spectrum of the filter's part p, which is transformed back once at the end. Loop order: samples,
// phases, then some blocks of grad_output at a time, and the parts of the filter innermost, whose sums stay in the
// cache.
#pragma once

#include "depthwise_inputs.h"
#include "depthwise_tile_plan.h"
#include "grad_weight_lane_repair.h"
#include "kernels/algorithms/grad_weight/grad_weight_sums.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class GradWeightDepthwiseTileRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;
  static constexpr int together = depthwise_tiles_together;

 public:
  GradWeightDepthwiseTileRunner(const GradWeightDepthwiseTilePlan& plan, const GradWeightOperands& operands, int slot)
      : p_(plan.problem),
        cut_(plan.depthwise),
        operands_(operands),
        functions_(spectrum_functions<Vector>(plan.depthwise.transform)),
        size_(shape_of(plan.depthwise.transform).size),
        flag_(static_cast<char*>(operands.workspace) + plan.depthwise.flags_at),
        own_(slot_memory(plan, operands.workspace, slot)),
        inputs_(plan, operands.input, own_),
        gradients_(reinterpret_cast<Scalar*>(own_ + cut_.slot_filters_at)),
        sums_(reinterpret_cast<Scalar*>(own_ + cut_.slot_sums_at)),
        lanes_samples_(reinterpret_cast<Scalar*>(own_ + cut_.slot_lanes_at)),
        repair_(plan, operands, reinterpret_cast<Scalar*>(own_ + cut_.slot_seen_at),
                reinterpret_cast<Scalar*>(own_ + cut_.slot_repair_at)) {}

  // Computes a vector of channels, for all samples.
  void run(int64_t task) {
    first_channel_ = task * width;
    lanes_ = static_cast<int>(min(width, p_.out_channels - first_channel_));
    inputs_.select_channels(first_channel_, lanes_);
    zero_sums<Vector>(sums_, cut_.filter_parts * inputs_.spectrum());
    Vector::store(bias_, Vector::zero());
    repair_.clear();
    for (int64_t n = 0; n < p_.batch; ++n) {
      for (int64_t phase = 0; phase < cut_.dilation_phases; ++phase) add_row(n, phase);
    }
    for (int64_t part = 0; part < cut_.filter_parts; ++part) write_part(part);
    if (operands_.grad_bias == nullptr) return;
    for (int l = 0; l < lanes_; ++l) {
      narrow(bias_[l], static_cast<Storage*>(operands_.grad_bias) + first_channel_ + l);
    }
  }

 private:
  void add_row(int64_t sample, int64_t phase) {
    inputs_.select_row(sample, phase, 0);
    for (int64_t block = 0; block < cut_.blocks; block += cut_.gradient_blocks) {
      const int64_t count = min(cut_.gradient_blocks, cut_.blocks - block);
      for (int64_t i = 0; i < count; ++i) {
        transform_gradient(sample, phase, block + i, gradients_ + i * inputs_.spectrum());
        Vector::store(magnitudes_[i], magnitude_sum_);
      }
      inputs_.transform_up_to(block + count + cut_.filter_parts - 1);
      for (int64_t i = 0; i < count; ++i) {
        const bool whole = outputs_of(phase, block + i) == cut_.outputs;
        repair_.add(inputs_, block + i, Vector::load(magnitudes_[i]), whole);
      }
      for (int64_t part = 0; part < cut_.filter_parts; part += together) {
        const int some = static_cast<int>(min(together, cut_.filter_parts - part));
        inputs_.multiply(block + part, gradients_, count, sums_ + part * inputs_.spectrum(), some, true);
      }
    }
  }

  // Returns how many outputs a block of a row has.
  int64_t outputs_of(int64_t phase, int64_t block) const {
    const int64_t row_length = ceil_div(p_.output_length - phase, cut_.dilation_phases);
    const int64_t left = row_length - block * cut_.outputs;
    return left > 0 ? min(cut_.outputs, left) : 0;
  }

  void transform_gradient(int64_t sample, int64_t phase, int64_t block, Scalar* spectrum) {
    const int64_t first = block * cut_.outputs;
    const int64_t count = outputs_of(phase, block);
    ActivationStrides strides = p_.output_strides;
    const Storage* const from = static_cast<const Storage*>(operands_.grad_output) + sample * strides.batch +
                                first_channel_ * strides.channel +
                                (first * cut_.dilation_phases + phase) * strides.time;
    strides.time *= cut_.dilation_phases;
    transpose_gradient<Vector>(strides, from, lanes_, count, lanes_samples_, width);
    fill_zeros<Vector>(lanes_samples_ + count * width, (size_ - count) * width);
    if (!is_ordinary<Vector>(lanes_samples_, count * width)) raise_flag(flag_);
    add_times<Vector>(lanes_samples_, width, count, bias_);
    magnitude_sum_ = Vector::zero();
    for (int64_t t = 0; t < count; ++t) {
      const auto magnitude = Vector::larger_magnitude(Vector::zero(), Vector::load(lanes_samples_ + t * width));
      magnitude_sum_ = Vector::add(magnitude_sum_, magnitude);
    }
    functions_.forward(lanes_samples_, spectrum);
    finish_filter<Vector>(size_, spectrum);
  }

  void write_part(int64_t part) {
    functions_.inverse(sums_ + part * inputs_.spectrum(), lanes_samples_);
    repair_.rewrite(part, first_channel_, lanes_, lanes_samples_);
    const int64_t first = part * cut_.part_taps;
    const int64_t taps = min(cut_.part_taps, p_.kernel_size - first);
    const WeightStrides& strides = p_.weight_strides;
    Storage* const to =
        static_cast<Storage*>(operands_.grad_weight) + first_channel_ * strides.out_channel + first * strides.tap;
    if (strides.tap == 1) return write_rows<Vector>(lanes_samples_, width, taps, lanes_, to, strides.out_channel);
    for (int64_t k = 0; k < taps; ++k) {
      for (int l = 0; l < lanes_; ++l) {
        narrow(lanes_samples_[k * width + l], &to[l * strides.out_channel + k * strides.tap]);
      }
    }
  }

  const Problem& p_;
  const DepthwiseTiles& cut_;
  const GradWeightOperands& operands_;
  const SpectrumFunctions<Scalar>& functions_;
  const int size_;
  char* const flag_;
  char* const own_;
  DepthwiseInputs<Vector, Storage> inputs_;
  Scalar* const gradients_;      // spectra of some blocks of grad_output
  Scalar* const sums_;           // [part] spectra
  Scalar* const lanes_samples_;  // [time][lane], then [tap][lane]
  GradWeightLaneRepair<Vector, Storage> repair_;
  typename Vector::Register magnitude_sum_ = Vector::zero();  // of a block of grad_output
  Scalar magnitudes_[gradient_blocks_together][width];        // of those that are multiplied together
  Scalar bias_[width];
  int64_t first_channel_ = 0;
  int lanes_ = 0;
};

template <class Isa, class Storage>
void run_grad_weight_depthwise_tiles(const GradWeightDepthwiseTilePlan& plan, const GradWeightOperands& operands,
                                     int64_t first, int64_t last, int slot) {
  GradWeightDepthwiseTileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first; task < last; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
