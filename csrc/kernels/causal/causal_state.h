// What a state becomes once its outputs were taken: the newest samples push the oldest out, or, in a ring, overwrite
// them.
#pragma once

#include <cstring>

#include "causal_call.h"

namespace tapconv::kernels {
namespace {

template <class Storage>
class CausalState {
 public:
  CausalState(const CausalCall& call, const CausalOperands& operands) : call_(call), operands_(operands) {}

  void update(int64_t sample, int64_t row, int64_t first_channel, int64_t channels) const {
    const ActivationStrides& strides = call_.state_strides;
    Storage* const state =
        static_cast<Storage*>(operands_.state) + row * strides.batch + first_channel * strides.channel;
    const Storage* const input = static_cast<const Storage*>(operands_.input) + sample * call_.input_strides.batch +
                                 first_channel * call_.input_strides.channel;
    const int64_t places = call_.state_length;
    const int64_t samples = call_.length;
    if (operands_.cache_lengths) {
      int64_t place = operands_.cache_lengths[sample] % places;
      for (int64_t i = 0; i < samples; ++i) {
        put(input + i * call_.input_strides.time, state + place * strides.time, channels);
        place = place + 1 < places ? place + 1 : 0;
      }
      return;
    }
    const int64_t kept = samples < places ? places - samples : 0;
    if (kept > 0) push_out(state, kept, channels);
    for (int64_t i = kept; i < places; ++i) {
      put(input + (i + samples - places) * call_.input_strides.time, state + i * strides.time, channels);
    }
  }

 private:
  const CausalCall& call_;
  const CausalOperands& operands_;

  // The newest `kept` samples of each channel move to its first places.
  void push_out(Storage* state, int64_t kept, int64_t channels) const {
    const ActivationStrides& strides = call_.state_strides;
    const int64_t samples = call_.length;
    if (strides.time == 1 && strides.channel == call_.state_length) {
      // All channels at once: what comes over from the next one lies where new samples will.
      std::memmove(state, state + samples, static_cast<size_t>(channels * strides.channel - samples) * sizeof(Storage));
    } else if (strides.channel == 1) {
      for (int64_t i = 0; i < kept; ++i) {
        std::memmove(state + i * strides.time, state + (i + samples) * strides.time,
                     static_cast<size_t>(channels) * sizeof(Storage));
      }
    } else {
      for (int64_t c = 0; c < channels; ++c, state += strides.channel) {
        for (int64_t i = 0; i < kept; ++i) state[i * strides.time] = state[(i + samples) * strides.time];
      }
    }
  }

  // One sample of each channel.
  void put(const Storage* from, Storage* to, int64_t channels) const {
    const int64_t distance = call_.input_strides.channel;
    for (int64_t c = 0; c < channels; ++c) to[c * call_.state_strides.channel] = from[c * distance];
  }
};

}  // namespace
}  // namespace tapconv::kernels
