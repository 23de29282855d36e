// The causal depthwise sum of one sample, some channels and some times.
//
// An output whose window lies inside the input, and in one sequence, is summed where its samples lie: lanes are
// neighbouring channels where those lie side by side, else neighbouring times. The window of any other output, one that
// reaches into the state, before the first sample or into another sequence, is gathered first, with channels in the
// lanes. Every output adds the same products in the same order on either way, so that the bits of a result depend
// neither on how a signal is cut into calls nor on its layout.
//
// Registers: four sums of neighbouring times (or vectors of times), one weight, one sample. The four sums share the
// load of a weight and hide the latency of the multiply-adds; there are few taps, so that the window is read from the
// first-level cache for each tap rather than kept in registers. The loop over times is outside the one over channels,
// as samples lie in memory where channels are side by side.
#pragma once

#include "causal_call.h"
#include "kernels/numbers/storage.h"
#include "kernels/rows/channel_lanes.h"
#include "kernels/simd/vector.h"

namespace tapconv::kernels {
namespace {

template <class Vector>
typename Vector::Register silu(typename Vector::Register a) {
  const auto one = Vector::broadcast(1);
  return Vector::divide(a, Vector::add(one, Vector::exponential(Vector::subtract(Vector::zero(), a))));
}

template <class Vector, class Storage>
class CausalRows {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int lanes_of_vector = Vector::width;
  static constexpr int together = 4;

 public:
  // `scratch`: a slot of the workspace.
  CausalRows(const CausalPlan& plan, const CausalOperands& operands, Scalar* scratch)
      : call_(plan.call),
        operands_(operands),
        bias_(scratch),
        weights_(bias_ + plan.channel_block),
        window_(weights_ + plan.channel_block * plan.call.width + lanes_of_vector),
        channels_side_by_side_(call_.input_strides.channel == 1 && call_.output_strides.channel == 1),
        times_side_by_side_(call_.input_strides.time == 1 && call_.output_strides.time == 1) {}

  // Brings the weights of channels [first, first + count) into the lanes.
  void take_channels(int64_t first, int64_t count) {
    if (first == first_channel_ && count == channel_count_) return;
    first_channel_ = first;
    channel_count_ = count;
    if constexpr (sizeof(Scalar) == sizeof(double)) {
      take_weights<double>();
    } else {
      switch (call_.weight_type) {
        case DataType::bfloat16:
          return take_weights<BFloat16>();
        case DataType::float16:
          return take_weights<Float16>();
        default:
          return take_weights<float>();
      }
    }
  }

  // Outputs [begin, end) of a sample. `row` is the sample's row of the state: negative for none, and then zeros.
  void sum(int64_t sample, int64_t row, int64_t begin, int64_t end) {
    sample_ = sample;
    row_ = row;
    for (int64_t time = begin; time < end;) {
      const int64_t in_place_end = first_to_gather(time, end);
      if (in_place_end > time) {
        sum_in_place(time, in_place_end);
        time = in_place_end;
      } else if (is_no_sequence(time)) {
        write_zeros(time);
        ++time;
      } else {
        // Windows of the same sequence that reach before the first sample overlap, and are gathered together.
        int64_t count = 1;
        while (!operands_.sequences && count < together && time + count < end) ++count;
        sum_gathered(time, count);
        time += count;
      }
    }
  }

  // A sample that has no state: zeros.
  void write_zeros(int64_t sample, int64_t begin, int64_t end) {
    sample_ = sample;
    for (int64_t time = begin; time < end; ++time) write_zeros(time);
  }

 private:
  const CausalCall& call_;
  const CausalOperands& operands_;
  Scalar* bias_;     // [channel]
  Scalar* weights_;  // [vector of channels][tap][lane]
  Scalar* window_;   // [position][lane], with room for a position ahead
  bool channels_side_by_side_;
  bool times_side_by_side_;
  int64_t first_channel_ = -1;
  int64_t channel_count_ = 0;
  int64_t sample_ = 0;
  int64_t row_ = 0;

  const Storage* input_at(int64_t channel, int64_t time) const {
    const ActivationStrides& strides = call_.input_strides;
    return static_cast<const Storage*>(operands_.input) + sample_ * strides.batch + channel * strides.channel +
           time * strides.time;
  }
  Storage* output_at(int64_t channel, int64_t time) const {
    const ActivationStrides& strides = call_.output_strides;
    return static_cast<Storage*>(operands_.output) + sample_ * strides.batch + channel * strides.channel +
           time * strides.time;
  }
  const int32_t* sequences() const {
    return operands_.sequences ? operands_.sequences + sample_ * call_.length : nullptr;
  }
  bool is_no_sequence(int64_t time) const { return operands_.sequences && sequences()[time] < 0; }

  template <class Weight>
  void take_weights() {
    const Weight* const weight =
        static_cast<const Weight*>(operands_.weight) + first_channel_ * call_.weight_channel_stride;
    const Weight* const bias = static_cast<const Weight*>(operands_.bias);
    for (int64_t c = 0; c < channel_count_; c += lanes_of_vector) {
      const int lanes = lanes_from(c);
      transpose_in<Vector>(weight + c * call_.weight_channel_stride, call_.weight_channel_stride,
                           call_.weight_tap_stride, lanes, call_.width, weights_ + c * call_.width);
      Vector::store(bias_ + c, bias ? Vector::load_partial(bias + first_channel_ + c, lanes) : Vector::zero());
    }
  }

  int lanes_from(int64_t channel) const {
    const int64_t left = channel_count_ - channel;
    return left < lanes_of_vector ? static_cast<int>(left) : lanes_of_vector;
  }

  // The end of the outputs from `time` on that can be summed where their samples lie; `time` if there are none.
  int64_t first_to_gather(int64_t time, int64_t end) const {
    const int64_t before = call_.width - 1;
    if (time < before || !(channels_side_by_side_ || times_side_by_side_)) return time;
    // A handful of times fills too little of a vector.
    const int64_t min_count = channels_side_by_side_ ? 1 : lanes_of_vector / 2;
    if (const int32_t* const all = sequences()) {
      const int32_t sequence = all[time];
      if (sequence < 0) return time;
      for (int64_t i = time - before; i < time; ++i) {
        if (all[i] != sequence) return time;
      }
      int64_t same = time + 1;
      while (same < end && all[same] == sequence) ++same;
      end = same;
    }
    return end - time < min_count ? time : end;
  }

  Register finished(Register sum) const { return call_.silu ? silu<Vector>(sum) : sum; }

  void sum_in_place(int64_t begin, int64_t end) {
    if (channels_side_by_side_) {
      int64_t time = begin;
      for (; time + together <= end; time += together) sum_channels<together>(time);
      for (; time < end; ++time) sum_channels<1>(time);
      return;
    }
    for (int64_t c = 0; c < channel_count_; ++c) {
      int64_t time = begin;
      for (; time + together * lanes_of_vector <= end; time += together * lanes_of_vector) {
        sum_times<together>(c, time, lanes_of_vector);
      }
      for (; time < end; time += lanes_of_vector) {
        const int64_t left = end - time;
        sum_times<1>(c, time, left < lanes_of_vector ? static_cast<int>(left) : lanes_of_vector);
      }
    }
  }

  // All channels of `count` neighbouring times.
  template <int count>
  void sum_channels(int64_t time) const {
    const int64_t distance = call_.input_strides.time;
    const int64_t output_distance = call_.output_strides.time;
    const Storage* const samples = input_at(first_channel_, time - (call_.width - 1));
    Storage* const outputs = output_at(first_channel_, time);
    for (int64_t c = 0; c < channel_count_; c += lanes_of_vector) {
      const int lanes = lanes_from(c);
      const Scalar* const weights = weights_ + c * call_.width;
      Register sums[count];
      for (int i = 0; i < count; ++i) sums[i] = Vector::load(bias_ + c);
      const Storage* at = samples + c;
      for (int64_t k = 0; k < call_.width; ++k, at += distance) {
        const auto weight = Vector::load(weights + k * lanes_of_vector);
        for (int i = 0; i < count; ++i) {
          const Storage* const from = at + i * distance;
          const auto sample = lanes == lanes_of_vector ? Vector::load(from) : Vector::load_partial(from, lanes);
          sums[i] = Vector::multiply_add(sample, weight, sums[i]);
        }
      }
      for (int i = 0; i < count; ++i) {
        Storage* const to = outputs + i * output_distance + c;
        const auto sum = finished(sums[i]);
        lanes == lanes_of_vector ? Vector::store(to, sum) : Vector::store_partial(to, sum, lanes);
      }
    }
  }

  // `count` vectors of neighbouring times of a channel; the last holds `times`.
  template <int count>
  void sum_times(int64_t c, int64_t time, int times) const {
    const Storage* const samples = input_at(first_channel_ + c, time - (call_.width - 1));
    Storage* const outputs = output_at(first_channel_ + c, time);
    const Scalar* const weights = weights_ + c / lanes_of_vector * lanes_of_vector * call_.width + c % lanes_of_vector;
    Register sums[count];
    for (int i = 0; i < count; ++i) sums[i] = Vector::broadcast(bias_[c]);
    for (int64_t k = 0; k < call_.width; ++k) {
      const auto weight = Vector::broadcast(weights[k * lanes_of_vector]);
      for (int i = 0; i < count; ++i) {
        const Storage* const from = samples + k + i * lanes_of_vector;
        const auto sample = times == lanes_of_vector ? Vector::load(from) : Vector::load_partial(from, times);
        sums[i] = Vector::multiply_add(sample, weight, sums[i]);
      }
    }
    for (int i = 0; i < count; ++i) {
      Storage* const to = outputs + i * lanes_of_vector;
      const auto sum = finished(sums[i]);
      times == lanes_of_vector ? Vector::store(to, sum) : Vector::store_partial(to, sum, times);
    }
  }

  // Outputs [time, time + count), at most `together`, a vector of channels at a time.
  void sum_gathered(int64_t time, int64_t count) {
    for (int64_t c = 0; c < channel_count_; c += lanes_of_vector) {
      const int lanes = lanes_from(c);
      gather(first_channel_ + c, lanes, time, count);
      const Scalar* const weights = weights_ + c * call_.width;
      Scalar* const sums = window_;  // an output is written over a sample that no later one reads
      for (int64_t i = 0; i < count; ++i) {
        auto sum = Vector::load(bias_ + c);
        for (int64_t k = 0; k < call_.width; ++k) {
          sum = Vector::multiply_add(Vector::load(window_ + (i + k) * lanes_of_vector),
                                     Vector::load(weights + k * lanes_of_vector), sum);
        }
        Vector::store(sums + i * lanes_of_vector, finished(sum));
      }
      transpose_out<Vector>(sums, lanes, count, output_at(first_channel_ + c, time), call_.output_strides.channel,
                            call_.output_strides.time);
    }
  }

  // Positions [time - (width - 1), time + count) of a vector of channels. With sequences, `count` is 1.
  void gather(int64_t channel, int lanes, int64_t time, int64_t count) {
    const int64_t first = time - (call_.width - 1);
    const int64_t before = first < 0 ? -first : 0;
    if (before > 0) gather_state(channel, lanes, before);
    transpose_in<Vector>(input_at(channel, first + before), call_.input_strides.channel, call_.input_strides.time,
                         lanes, time + count - (first + before), window_ + before * lanes_of_vector);
    const int32_t* const all = sequences();
    for (int64_t i = first + before; all && i < time; ++i) {
      if (all[i] != all[time]) Vector::store(window_ + (i - first) * lanes_of_vector, Vector::zero());
    }
  }

  // The newest samples of the state, from the one `before` positions ahead of the input on, or zeros.
  void gather_state(int64_t channel, int lanes, int64_t before) {
    if (!operands_.state) {
      for (int64_t i = 0; i < before; ++i) Vector::store(window_ + i * lanes_of_vector, Vector::zero());
      return;
    }
    const ActivationStrides& strides = call_.state_strides;
    const Storage* const state =
        static_cast<const Storage*>(operands_.state) + row_ * strides.batch + channel * strides.channel;
    // The state runs on after its last place with its first one; what is not a ring ends at the end.
    int64_t at = operands_.cache_lengths ? operands_.cache_lengths[sample_] % call_.state_length : 0;
    at = (at + call_.state_length - (call_.width - 1)) % call_.state_length;
    // Of the width - 1 newest samples, the first ones lie before the window that begins inside the signal.
    at = (at + (call_.width - 1) - before) % call_.state_length;
    if (before == 3 && at + before == call_.state_length && at > 0) {
      // The usual state of four taps has a place more: four samples of each channel are loaded at once.
      transpose_in<Vector>(state + (at - 1) * strides.time, strides.channel, strides.time, lanes, 4,
                           window_ - lanes_of_vector);
      return;
    }
    const int64_t to_end = call_.state_length - at;
    const int64_t here = before < to_end ? before : to_end;
    transpose_in<Vector>(state + at * strides.time, strides.channel, strides.time, lanes, here, window_);
    transpose_in<Vector>(state, strides.channel, strides.time, lanes, before - here, window_ + here * lanes_of_vector);
  }

  void write_zeros(int64_t time) {
    for (int64_t c = 0; c < channel_count_; ++c) *output_at(first_channel_ + c, time) = Storage{};
  }
};

}  // namespace
}  // namespace tapconv::kernels
