// A scalar stand-in for tensor cores with the same shapes, the same reading of memory and the same demands on
// alignment. The first lane holds the whole warp's fragments.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "cuda/kernels/elements.h"

namespace tapconv::cuda::test {

// nvcuda::wmma wants fragments to begin at multiples of 32 bytes, and their rows at multiples of 16.
template <class T>
void check_alignment(const T* fragment, int stride) {
  if (reinterpret_cast<uintptr_t>(fragment) % 32 != 0 || static_cast<size_t>(stride) * sizeof(T) % 16 != 0) {
    throw std::logic_error("a fragment is not aligned as tensor cores need it");
  }
}

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
    check_alignment(from, stride);
    for (int o = 0; o < 16; ++o) {
      for (int c = 0; c < depth; ++c) weights.values[o][c] = widen(from[o * stride + c]);
    }
  }
  static void load(Rows& rows, const Stored* from, int stride) {
    check_alignment(from, stride);
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
    check_alignment(to, stride);
    for (int o = 0; o < 16; ++o) {
      for (int t = 0; t < 16; ++t) to[o * stride + t] = sums.values[o][t];
    }
  }
};

}  // namespace tapconv::cuda::test
