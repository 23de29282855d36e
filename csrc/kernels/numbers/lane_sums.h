// Sums of long depthwise filters, channel by channel, as they are defined: this is how outputs are computed that
// transforms must not touch (seen_peaks.h). Samples and taps lie side by side, and lanes are neighbouring taps.
// Register budget: four sums, the vector of what does not move, and one of what moves. Four sums share the load of what
// does not move, so there are five loads for four multiply-adds.
#pragma once

#include <cstdint>

namespace tapconv::kernels {
namespace {

inline constexpr int sums_together = 4;

// to[i] = the sum over k in [0, count) of fixed[k] * moving[i + k], for i in [0, Sums).
template <class Vector, int Sums>
void sum_products(const typename Vector::Scalar* fixed, const typename Vector::Scalar* moving, int64_t count,
                  typename Vector::Scalar* to) {
  constexpr int width = Vector::width;
  typename Vector::Register sums[Sums];
#pragma GCC unroll 4
  for (int i = 0; i < Sums; ++i) sums[i] = Vector::zero();
  int64_t k = 0;
  for (; k + width <= count; k += width) {
    const auto here = Vector::load(fixed + k);
#pragma GCC unroll 4
    for (int i = 0; i < Sums; ++i) sums[i] = Vector::multiply_add(here, Vector::load(moving + i + k), sums[i]);
  }
  if (k < count) {
    const int left = static_cast<int>(count - k);
    const auto here = Vector::load_partial(fixed + k, left);
#pragma GCC unroll 4
    for (int i = 0; i < Sums; ++i) {
      sums[i] = Vector::multiply_add(here, Vector::load_partial(moving + i + k, left), sums[i]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < Sums; ++i) to[i] = Vector::sum(sums[i]);
}

// Does the same for any number of sums.
template <class Vector>
void sum_products(const typename Vector::Scalar* fixed, const typename Vector::Scalar* moving, int64_t count,
                  int64_t sums, typename Vector::Scalar* to) {
  int64_t i = 0;
  for (; i + sums_together <= sums; i += sums_together) {
    sum_products<Vector, sums_together>(fixed, moving + i, count, to + i);
  }
  for (; i < sums; ++i) sum_products<Vector, 1>(fixed, moving + i, count, to + i);
}

}  // namespace
}  // namespace tapconv::kernels
