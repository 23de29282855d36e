// This file says which numbers may be transformed at all. A transform would spread a NaN or an infinity over all that
// it touches, and could overflow where the direct sum does not. What does not fit is left to the direct sum.
#pragma once

#include <cstdint>

namespace tapconv::kernels {
namespace {

// With sums of squares up to the first bound, and samples up to the second, every sum of products and every transform
// stays far below the largest number. A NaN or an infinity makes neither smaller nor equal.
template <class Scalar>
inline constexpr Scalar largest_square_sum = 0x1p100f;
template <>
inline constexpr double largest_square_sum<double> = 0x1p900;
template <class Scalar>
inline constexpr Scalar largest_sample = 0x1p44f;
template <>
inline constexpr double largest_sample<double> = 0x1p440;

// Magnitudes are compared lane by lane, over whole vectors and a rest.
template <class Vector>
typename Vector::Register square_sums(const typename Vector::Scalar* from, int64_t count) {
  constexpr int width = Vector::width;
  constexpr int chains = 4;  // as many as the cycles that a multiply-add takes
  typename Vector::Register sums[chains];
#pragma GCC unroll 4
  for (int j = 0; j < chains; ++j) sums[j] = Vector::zero();
  int64_t i = 0;
  for (; i + chains * width <= count; i += chains * width) {
#pragma GCC unroll 4
    for (int j = 0; j < chains; ++j) {
      const auto x = Vector::load(from + i + j * width);
      sums[j] = Vector::multiply_add(x, x, sums[j]);
    }
  }
  for (; i < count; i += width) {
    const auto x =
        count - i < width ? Vector::load_partial(from + i, static_cast<int>(count - i)) : Vector::load(from + i);
    sums[0] = Vector::multiply_add(x, x, sums[0]);
  }
  return Vector::add(Vector::add(sums[0], sums[1]), Vector::add(sums[2], sums[3]));
}

// Says that nothing is a NaN or an infinity, or comes near one.
template <class Vector>
bool is_ordinary(const typename Vector::Scalar* from, int64_t count) {
  return Vector::sum(square_sums<Vector>(from, count)) <= largest_square_sum<typename Vector::Scalar>;
}

inline void raise_flag(char* flag, int bits = 1) { __atomic_fetch_or(flag, static_cast<char>(bits), __ATOMIC_RELAXED); }

}  // namespace
}  // namespace tapconv::kernels
