// What a state becomes once its outputs were taken: the newest samples push the oldest out, or, in a ring, overwrite
// them.
#pragma once

#include "causal_call.h"

namespace tapconv::kernels {
namespace {

// Rows and times of one sample, for channels [first_channel, first_channel + channel_count).
template <class Storage>
class CausalState {
 public:
  CausalState(const CausalCall& call, const CausalOperands& operands) : call_(call), operands_(operands) {}

  void update(int64_t sample, int64_t row, int64_t first_channel, int64_t channel_count) const {
    Storage* const state = static_cast<Storage*>(operands_.state) + row * call_.state_strides.batch +
                           first_channel * call_.state_strides.channel;
    const Storage* const input = static_cast<const Storage*>(operands_.input) + sample * call_.input_strides.batch +
                                 first_channel * call_.input_strides.channel;
    // Neighbours in memory are innermost.
    if (call_.state_strides.channel == 1) {
      update_block(sample, state, input, channel_count);
    } else {
      for (int64_t c = 0; c < channel_count; ++c) {
        update_block(sample, state + c * call_.state_strides.channel, input + c * call_.input_strides.channel, 1);
      }
    }
  }

 private:
  const CausalCall& call_;
  const CausalOperands& operands_;

  void update_block(int64_t sample, Storage* state, const Storage* input, int64_t channels) const {
    const int64_t distance = call_.state_strides.time;
    const int64_t places = call_.state_length;
    const int64_t samples = call_.length;
    if (operands_.cache_lengths) {
      int64_t place = operands_.cache_lengths[sample] % places;
      for (int64_t i = 0; i < samples; ++i) {
        copy(input + i * call_.input_strides.time, call_.input_strides.channel, state + place * distance, channels);
        place = place + 1 < places ? place + 1 : 0;
      }
      return;
    }
    const int64_t kept = samples < places ? places - samples : 0;
    for (int64_t i = 0; i < kept; ++i) {
      copy(state + (i + samples) * distance, call_.state_strides.channel, state + i * distance, channels);
    }
    for (int64_t i = kept; i < places; ++i) {
      copy(input + (i + samples - places) * call_.input_strides.time, call_.input_strides.channel, state + i * distance,
           channels);
    }
  }

  void copy(const Storage* from, int64_t channel_distance, Storage* to, int64_t channels) const {
    for (int64_t c = 0; c < channels; ++c) to[c * call_.state_strides.channel] = from[c * channel_distance];
  }
};

}  // namespace
}  // namespace tapconv::kernels
