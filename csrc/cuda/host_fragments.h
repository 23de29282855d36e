// A scalar stand-in for tensor cores with the same shapes and the same reading of memory, for tests without a device.
// The first lane holds the whole warp's fragments.
#pragma once

#include "elements.h"

namespace tapconv::cuda {

template <class Element>
struct HostFragments {
  using Stored = Element;
  static constexpr int depth = 32 / static_cast<int>(sizeof(Element));
  struct Sums {
    float values[16][16];
  };
  struct Weights {
    float values[16][depth];
  };
  struct Rows {
    float values[depth][16];
  };

  static bool runs_on(int lane) { return lane == 0; }
  static Stored stored(Element value) { return value; }
  static void clear(Sums& sums) { sums = {}; }

  static void load(Weights& weights, const Stored* from, int stride) {
    for (int o = 0; o < 16; ++o) {
      for (int c = 0; c < depth; ++c) weights.values[o][c] = widen(from[o * stride + c]);
    }
  }
  static void load(Rows& rows, const Stored* from, int stride) {
    for (int c = 0; c < depth; ++c) {
      for (int t = 0; t < 16; ++t) rows.values[c][t] = widen(from[t * stride + c]);
    }
  }
  static void multiply(Sums& sums, const Weights& weights, const Rows& rows) {
    for (int o = 0; o < 16; ++o) {
      for (int t = 0; t < 16; ++t) {
        for (int c = 0; c < depth; ++c) sums.values[o][t] += weights.values[o][c] * rows.values[c][t];
      }
    }
  }
  static void store(float* to, const Sums& sums, int stride) {
    for (int o = 0; o < 16; ++o) {
      for (int t = 0; t < 16; ++t) to[o * stride + t] = sums.values[o][t];
    }
  }
};

}  // namespace tapconv::cuda
