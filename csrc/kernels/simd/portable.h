// These 16-byte vectors serve any machine. They are the compiler's own vector type, which it maps to SSE2, NEON or
// plain scalars.
#pragma once

#include <type_traits>

#include "exponential.h"
#include "kernels/numbers/storage.h"
#include "vector.h"

namespace tapconv::kernels {
namespace {

template <class ScalarType>
struct PortableVector {
  using Scalar = ScalarType;
  using Register [[gnu::vector_size(16)]] = Scalar;
  using Word = std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t>;
  using Bits [[gnu::vector_size(16)]] = Word;
  static constexpr Word largest_bits = sizeof(Scalar) == 8 ? Word(INT64_MAX) : Word(INT32_MAX);
  static constexpr int width = 16 / sizeof(Scalar);

  static Register zero() { return Register{}; }
  static Register broadcast(Scalar value) { return Register{} + value; }
  static Register broadcast_two(const Scalar* from) {
    Register a{};
    for (int lane = 0; lane < width; ++lane) a[lane] = from[lane % 2];
    return a;
  }
  static Register broadcast_four(const Scalar* from) {
    Register a{};
    for (int lane = 0; lane < width; ++lane) a[lane] = from[lane % 4];
    return a;
  }
  static Register interleave_low(Register a, Register b) { return interleave(a, b, 0); }
  static Register interleave_high(Register a, Register b) { return interleave(a, b, width / 2); }
  static Register add_neighbours(Register a, Register b) {
    Register sums{};
    for (int lane = 0; lane < width / 2; ++lane) {
      sums[lane] = a[2 * lane] + a[2 * lane + 1];
      sums[width / 2 + lane] = b[2 * lane] + b[2 * lane + 1];
    }
    return sums;
  }
  static Register add(Register a, Register b) { return a + b; }
  static Register subtract(Register a, Register b) { return a - b; }
  static Register multiply(Register a, Register b) { return a * b; }
  static Register multiply_add(Register a, Register b, Register c) { return a * b + c; }
  static Register multiply_subtract(Register a, Register b, Register c) { return a * b - c; }
  static Register subtract_product(Register c, Register a, Register b) { return c - a * b; }
  static Register divide(Register a, Register b) { return a / b; }
  static Register exponential(Register a) { return exponential_of_lanes<PortableVector>(a); }
  static Register larger_magnitude(Register magnitude, Register a) {
    const Bits bits = std::bit_cast<Bits>(a) & largest_bits;
    const Bits other = std::bit_cast<Bits>(magnitude);
    return std::bit_cast<Register>(bits > other ? bits : other);
  }
  static Register smaller_magnitude(Register a, Register b) {
    const Bits bits = std::bit_cast<Bits>(a);
    const Bits other = std::bit_cast<Bits>(b);
    return std::bit_cast<Register>(bits < other ? bits : other);
  }
  static Scalar sum(Register a) {
    for (int half = width / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; ++lane) a[lane] += a[lane + half];
    }
    return a[0];
  }

  static constexpr int max_merged_vectors = 4;
  struct Merge {
    int apart;
    int vector;
  };
  static Merge merge_of(int apart, int vector) { return {apart, vector}; }
  static Register merged(Register a, Register vector, Merge merge) {
    for (int lane = 0; lane < width; ++lane) {
      const int at = lane * merge.apart - merge.vector * width;
      if (at >= 0 && at < width) a[lane] = vector[at];
    }
    return a;
  }

  static Register load(const Scalar* from) {
    Register a;
    std::memcpy(&a, from, sizeof(a));
    return a;
  }
  template <class Storage>
  static Register load(const Storage* from) {
    return load_partial(from, width);
  }
  template <class Storage>
  static Register load_partial(const Storage* from, int count) {
    Register a{};
    for (int lane = 0; lane < count; ++lane) a[lane] = widen(from[lane]);
    return a;
  }

  static void store(Scalar* to, Register a) { std::memcpy(to, &a, sizeof(a)); }
  template <class Storage>
  static void store(Storage* to, Register a) {
    store_partial(to, a, width);
  }
  template <class Storage>
  static void store_partial(Storage* to, Register a, int count) {
    for (int lane = 0; lane < count; ++lane) narrow(a[lane], &to[lane]);
  }

  template <class Storage>
  static Register load_some(const Storage* from, int first, int count) {
    Register a{};
    for (int lane = 0; lane < count; ++lane) a[first + lane] = widen(from[lane]);
    return a;
  }

  static Register load_lanes(Register a, const Scalar* from, int first, int count) {
    for (int lane = 0; lane < count; ++lane) a[first + lane] = from[lane];
    return a;
  }
  template <class Storage>
  static void store_lanes(Storage* to, Register a, int first, int count) {
    for (int lane = 0; lane < count; ++lane) narrow(a[first + lane], &to[lane]);
  }

  static void transpose(Register (&rows)[width]) {
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < i; ++j) {
        const Scalar swapped = rows[i][j];
        rows[i][j] = rows[j][i];
        rows[j][i] = swapped;
      }
    }
  }

 private:
  // Takes lanes from `first` on of both in turn. They go through memory, because GCC takes lanes chosen by a loop for
  // uninitialized.
  static Register interleave(Register a, Register b, int first) {
    Scalar from[2][width];
    store(from[0], a);
    store(from[1], b);
    Scalar both[width];
    for (int lane = 0; lane < width; ++lane) both[lane] = from[lane % 2][first + lane / 2];
    return load(both);
  }
};

struct Portable {
  static constexpr int register_count = 16;
  template <class Scalar>
  struct VectorOf {
    using type = PortableVector<Scalar>;
  };
};
static_assert(VectorSet<Portable>);

}  // namespace
}  // namespace tapconv::kernels
