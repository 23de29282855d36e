// The transforms of the tile algorithm. Each turns a convolution of one tile of `size` samples with a filter into
// `products` independent multiplications: outputs = output(input(samples) * weight(taps)).
//
// Every vector lane holds a tile (or a filter) of its own, so a transform is plain vertical code. Samples lie as
// [sample][lane]. Products lie `plane` elements apart, so that the same product of all tiles forms a matrix. The last
// product of a tile goes to `last`, whose plane may hold fewer channels (TileBlocks::last_product_segments). Where it
// holds none for this tile, `last` is null. A Fourier transform needs all products, and puts the last in line.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fourier.h"
#include "winograd.h"

namespace tapconv::kernels {
namespace {

// This is the real Fourier transform of `Size` samples. A filter of K taps fills the first Size - K + 1 outputs.
//
// Zero and half frequency are real and take one product each. Between them a product of complex numbers takes three of
// real ones: with k1 = (a + b) c, k2 = a (d - c), k3 = b (c + d) the product (a + bi)(c + di) is (k1 - k3) + (k1 + k2)
// i. Tiling by short transforms is overlap-save, as in every signal processing text. Spectra in networks come from
// Mathieu, Henaff and LeCun 2013, the three products from Gauss.
template <class Vector, int Size>
struct FourierTransform {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int half = Size / 2;
  static constexpr int size = Size;
  static constexpr int products = 3 * (half - 1) + 2;

  [[gnu::noinline]] static void input(const Scalar* samples, Scalar* to, ptrdiff_t plane, Scalar* /*last*/) {
    Register spectrum[Size];
    RealFourier<Vector, Size>::forward(samples, Vector::width, spectrum);
    Vector::store(to, spectrum[0]);
    Vector::store(to + plane, spectrum[half]);
    to += 2 * plane;
#pragma GCC unroll 4
    for (int k = 1; k < half; ++k) {
      const Register re = spectrum[k];
      const Register im = spectrum[Size - k];
      Vector::store(to, Vector::add(re, im));
      Vector::store(to + plane, re);
      Vector::store(to + 2 * plane, im);
      to += 3 * plane;
    }
  }

  // The spectrum is conjugated, since a convolution layer correlates, and scaled for the unscaled inverse.
  [[gnu::noinline]] static void weight(const Scalar* taps, Scalar* to, ptrdiff_t plane) {
    Register spectrum[Size];
    RealFourier<Vector, Size>::forward(taps, Vector::width, spectrum);
    const Register scale = Vector::broadcast(Scalar(1) / Size);
    Vector::store(to, Vector::multiply(spectrum[0], scale));
    Vector::store(to + plane, Vector::multiply(spectrum[half], scale));
    to += 2 * plane;
#pragma GCC unroll 4
    for (int k = 1; k < half; ++k) {
      const Register c = Vector::multiply(spectrum[k], scale);
      const Register im = spectrum[Size - k];
      Vector::store(to, c);
      Vector::store(to + plane, Vector::subtract_product(Vector::subtract(Vector::zero(), c), im, scale));
      Vector::store(to + 2 * plane, Vector::subtract_product(c, im, scale));
      to += 3 * plane;
    }
  }

  [[gnu::noinline]] static void output(const Scalar* from, ptrdiff_t plane, Scalar bias, Scalar* samples) {
    Register spectrum[Size];
    spectrum[0] = Vector::add(Vector::load(from), Vector::broadcast(bias));
    spectrum[half] = Vector::load(from + plane);
    from += 2 * plane;
#pragma GCC unroll 4
    for (int k = 1; k < half; ++k) {
      const Register k1 = Vector::load(from);
      spectrum[k] = Vector::subtract(k1, Vector::load(from + 2 * plane));
      spectrum[Size - k] = Vector::add(k1, Vector::load(from + plane));
      from += 3 * plane;
    }
    RealFourier<Vector, Size>::inverse(spectrum, samples, Vector::width);
  }
};

// Plans choose a transform at run time, by these functions.
template <class Scalar>
struct TransformFunctions {
  void (*input)(const Scalar* samples, Scalar* to, ptrdiff_t plane, Scalar* last);
  void (*weight)(const Scalar* taps, Scalar* to, ptrdiff_t plane);
  void (*output)(const Scalar* from, ptrdiff_t plane, Scalar bias, Scalar* samples);
};

template <class Transform>
constexpr TransformFunctions<typename Transform::Scalar> functions_of() {
  return {&Transform::input, &Transform::weight, &Transform::output};
}

}  // namespace
}  // namespace tapconv::kernels
