// Spectra of real samples as they lie in memory, for sums of products of spectra. A spectrum is whole vectors, in the
// order of fourier.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/algorithms/transforms/fourier.h"
#include "kernels/algorithms/transforms/tile_transforms.h"

namespace tapconv::kernels {
namespace {

// A spectrum has one cache line more than it needs, so that neighbouring spectra spread over all cache sets.
constexpr int64_t spectrum_vectors(int size) { return size + 1; }

template <class Scalar>
struct SpectrumFunctions {
  void (*forward)(const Scalar* samples, Scalar* spectrum);
  void (*inverse)(Scalar* spectrum, Scalar* samples);  // not scaled: the filters are; the spectrum is lost
};

template <class Vector, int Size>
struct SpectrumTransform {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;

  static void forward(const Scalar* samples, Scalar* spectrum) {
    RealFourier<Vector, Size>::forward(samples, Vector::width, reinterpret_cast<Register*>(spectrum));
  }
  static void inverse(Scalar* spectrum, Scalar* samples) {
    RealFourier<Vector, Size>::inverse(reinterpret_cast<Register*>(spectrum), samples, Vector::width);
  }
  static constexpr SpectrumFunctions<Scalar> functions() { return {&forward, &inverse}; }
};

template <class Vector>
const SpectrumFunctions<typename Vector::Scalar>& spectrum_functions(TileTransform transform) {
  static constexpr SpectrumFunctions<typename Vector::Scalar> all[fourier_transform_count] = {
      SpectrumTransform<Vector, 8>::functions(),   SpectrumTransform<Vector, 16>::functions(),
      SpectrumTransform<Vector, 32>::functions(),  SpectrumTransform<Vector, 64>::functions(),
      SpectrumTransform<Vector, 128>::functions(), SpectrumTransform<Vector, 256>::functions(),
      SpectrumTransform<Vector, 512>::functions(),
  };
  return all[static_cast<int>(transform)];
}

// A filter correlates, so its spectrum is conjugated. It also carries the scale of the inverse.
template <class Vector>
void finish_filter(int size, typename Vector::Scalar* spectrum) {
  using Scalar = typename Vector::Scalar;
  const auto scale = Vector::broadcast(Scalar(1) / static_cast<Scalar>(size));
  const auto conjugate = Vector::broadcast(Scalar(-1) / static_cast<Scalar>(size));
  const int half = size / 2;
  for (int i = 0; i < size; ++i) {
    Scalar* const at = spectrum + i * Vector::width;
    Vector::store(at, Vector::multiply(Vector::load(at), i <= half ? scale : conjugate));
  }
}

// Sets sums[r] to the sum over p of inputs[r + p] * filters[p], for r in [0, Count), or adds it to what is there.
// Filters and sums lie one spectrum apart. With `OneLane`, every lane meets the first lane of the inputs.
//
// Register budget: 2 * Count sums, of real and imaginary parts, and both parts of a filter and of an input, 12 of 16 at
// the most. Loop order: frequencies are outermost and parts innermost, since the sums of a frequency stay in registers.
template <class Vector, int Count, bool OneLane>
void multiply_spectra(int size, const typename Vector::Scalar* const* inputs, const typename Vector::Scalar* filters,
                      int64_t parts, typename Vector::Scalar* sums, bool accumulate) {
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  const int64_t apart = spectrum_vectors(size) * width;
  const int half = size / 2;
  const auto load_input = [](const typename Vector::Scalar* from) {
    return OneLane ? Vector::broadcast(*from) : Vector::load(from);
  };
  const auto finish = [&](int r, int64_t at, Register sum) {
    typename Vector::Scalar* const to = sums + r * apart + at;
    Vector::store(to, accumulate ? Vector::add(Vector::load(to), sum) : sum);
  };
  for (int k = 0; k <= half; k += half) {
    const int64_t at = k * width;
    Register sum[Count];
#pragma GCC unroll 4
    for (int r = 0; r < Count; ++r) sum[r] = Vector::zero();
    for (int64_t p = 0; p < parts; ++p) {
      const Register w = Vector::load(filters + p * apart + at);
#pragma GCC unroll 4
      for (int r = 0; r < Count; ++r) sum[r] = Vector::multiply_add(load_input(inputs[r + p] + at), w, sum[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < Count; ++r) finish(r, at, sum[r]);
  }
  for (int k = 1; k < half; ++k) {
    const int64_t re = k * width;
    const int64_t im = (size - k) * width;
    Register sum_re[Count];
    Register sum_im[Count];
#pragma GCC unroll 4
    for (int r = 0; r < Count; ++r) sum_re[r] = sum_im[r] = Vector::zero();
    for (int64_t p = 0; p < parts; ++p) {
      const Register w_re = Vector::load(filters + p * apart + re);
      const Register w_im = Vector::load(filters + p * apart + im);
#pragma GCC unroll 4
      for (int r = 0; r < Count; ++r) {
        const Register x_re = load_input(inputs[r + p] + re);
        const Register x_im = load_input(inputs[r + p] + im);
        sum_re[r] = Vector::multiply_add(x_re, w_re, sum_re[r]);
        sum_im[r] = Vector::multiply_add(x_re, w_im, sum_im[r]);
        sum_re[r] = Vector::subtract_product(sum_re[r], x_im, w_im);
        sum_im[r] = Vector::multiply_add(x_im, w_re, sum_im[r]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < Count; ++r) {
      finish(r, re, sum_re[r]);
      finish(r, im, sum_im[r]);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
