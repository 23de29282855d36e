// If all numbers of a signal are whole, then so are sums of their products, and only a direct sum gives them exactly.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/problem.h"
#include "storage.h"

namespace tapconv::kernels {
namespace {

// A NaN is not whole, and neither is what an infinity less itself gives.
template <class Scalar>
bool is_whole(Scalar x) {
  return std::nearbyint(x) - x == 0;
}

// Looks no further than to the first number that is not whole.
template <class Storage>
bool are_whole(const Storage* signal, const ActivationStrides& strides, int64_t batch, int64_t channels,
               int64_t length) {
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      const Storage* const row = signal + n * strides.batch + c * strides.channel;
      for (int64_t t = 0; t < length; ++t) {
        if (!is_whole(widen(row[t * strides.time]))) return false;
      }
    }
  }
  return true;
}

}  // namespace
}  // namespace tapconv::kernels
