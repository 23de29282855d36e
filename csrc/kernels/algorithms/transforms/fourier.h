// Fourier transforms of real samples, one transform for each vector lane.
//
// The transforms decimate in time, two at a time: the spectra of the even and the odd samples are combined by one
// butterfly for each pair of frequencies k and N/2 - k. The forward butterfly takes six multiply-adds and no other
// operation, because the larger of sine and cosine is drawn out of the rotation: with cosine >= sine and r = sine /
// cosine, o * exp(-i angle) is cosine * ((re + r im) + (im - r re) i), whose outer factor joins the additions that
// follow. All factors are computed at compile time in double precision. A spectrum takes as much room as the samples:
// the real part of frequency k is element k, the imaginary part element N - k; those of frequencies 0 and N/2 are zero
// by definition. So a butterfly puts its results where it found what it combines, and the spectra of the halves need no
// room of their own: a transform that fits in the first-level cache stays there.
#pragma once

#include <cstddef>

namespace tapconv::kernels {
namespace {

// Returns the sine or cosine of angles up to pi / 4, by their series.
constexpr double series(double first, double square, int next) {
  double sum = 0;
  double term = first;
  for (int n = next; n < next + 24; n += 2) {
    sum += term;
    term *= -square / (n * (n + 1));
  }
  return sum;
}

constexpr double pi = 3.14159265358979323846;

// The rotation is by 2 pi k / n, where 0 < k < n / 4.
struct Rotation {
  double larger;    // of cosine and sine
  double quotient;  // of the smaller by the larger
};

constexpr Rotation rotation(int k, int n) {
  const bool steep = 8 * k > n;  // above 45 degrees sine and cosine change places
  const double angle = 2 * pi * (steep ? n / 4.0 - k : k) / n;
  const double cosine = series(1, angle * angle, 1);
  const double sine = series(angle, angle * angle, 2);
  return {cosine, sine / cosine};
}

template <class Scalar, int N>
struct Rotations {
  Scalar larger[N / 4 + 1] = {};
  Scalar quotient[N / 4 + 1] = {};
  constexpr Rotations() {
    for (int k = 1; k < N / 4; ++k) {
      larger[k] = static_cast<Scalar>(rotation(k, N).larger);
      quotient[k] = static_cast<Scalar>(rotation(k, N).quotient);
    }
  }
};

template <class Scalar, int N>
inline constexpr Rotations<Scalar, N> rotations{};

// Up to this size a transform is laid out without loops or calls. Above it, the code would outgrow the instruction
// cache.
inline constexpr int largest_unrolled = 16;

template <class Vector, int N>
struct RealFourier {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  using Half = RealFourier<Vector, N / 2>;
  static constexpr int quarter = N / 4;
  static constexpr int eighth = N / 8;

  // Samples lie `step` elements apart.
  [[gnu::always_inline]] static void forward_inline(const Scalar* samples, ptrdiff_t step, Register* spectrum) {
    if constexpr (N / 2 <= largest_unrolled) {
      Register even[N / 2];
      Register odd[N / 2];
      Half::forward(samples, 2 * step, even);
      Half::forward(samples + step, 2 * step, odd);
      combine(even, odd, spectrum);
    } else {
      Half::forward(samples, 2 * step, spectrum);
      Half::forward(samples + step, 2 * step, spectrum + N / 2);
      combine(spectrum, spectrum + N / 2, spectrum);
    }
  }

  // The result is not scaled: it is N times the samples. The spectrum is lost.
  [[gnu::always_inline]] static void inverse_inline(Register* spectrum, Scalar* samples, ptrdiff_t step) {
    if constexpr (N / 2 <= largest_unrolled) {
      Register even[N / 2];
      Register odd[N / 2];
      separate(spectrum, even, odd);
      Half::inverse(even, samples, 2 * step);
      Half::inverse(odd, samples + step, 2 * step);
    } else {
      separate(spectrum, spectrum, spectrum + N / 2);
      Half::inverse(spectrum, samples, 2 * step);
      Half::inverse(spectrum + N / 2, samples + step, 2 * step);
    }
  }

  // The halves may lie in the spectrum, in their order.
  [[gnu::always_inline]] static void combine(const Register* even, const Register* odd, Register* spectrum) {
    const Register even_0 = even[0];
    const Register odd_0 = odd[0];
    spectrum[0] = Vector::add(even_0, odd_0);
    spectrum[quarter] = even[quarter];
    spectrum[N / 2 + quarter] = Vector::subtract(Vector::zero(), odd[quarter]);
    spectrum[N / 2] = Vector::subtract(even_0, odd_0);
    const auto butterfly = [&](int k, bool steep) {
      const Register even_re = even[k];
      const Register even_im = even[N / 2 - k];
      const Register odd_re = odd[k];
      const Register odd_im = odd[N / 2 - k];
      const Register factor = Vector::broadcast(rotations<Scalar, N>.larger[k]);
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      const Register re = steep ? Vector::multiply_add(r, odd_re, odd_im) : Vector::multiply_add(r, odd_im, odd_re);
      const Register im =
          steep ? Vector::multiply_subtract(r, odd_im, odd_re) : Vector::subtract_product(odd_im, r, odd_re);
      spectrum[k] = Vector::multiply_add(factor, re, even_re);
      spectrum[N - k] = Vector::multiply_add(factor, im, even_im);
      spectrum[N / 2 - k] = Vector::subtract_product(even_re, factor, re);
      spectrum[N / 2 + k] = Vector::multiply_subtract(factor, im, even_im);
    };
#pragma GCC unroll 4
    for (int k = 1; k <= eighth; ++k) butterfly(k, false);
#pragma GCC unroll 4
    for (int k = eighth + 1; k < quarter; ++k) butterfly(k, true);
  }

  // Undoes the combination, and doubles the spectra of the halves.
  [[gnu::always_inline]] static void separate(const Register* spectrum, Register* even, Register* odd) {
    const Register first = spectrum[0];
    const Register middle = spectrum[N / 2];
    const Register quarter_re = spectrum[quarter];
    const Register quarter_im = spectrum[N / 2 + quarter];
    even[0] = Vector::add(first, middle);
    odd[0] = Vector::subtract(first, middle);
    even[quarter] = Vector::add(quarter_re, quarter_re);
    odd[quarter] = Vector::subtract(Vector::zero(), Vector::add(quarter_im, quarter_im));
    const auto butterfly = [&](int k, bool steep) {
      const Register low_re = spectrum[k];
      const Register low_im = spectrum[N - k];
      const Register high_re = spectrum[N / 2 - k];
      const Register high_im = spectrum[N / 2 + k];
      const Register factor = Vector::broadcast(rotations<Scalar, N>.larger[k]);
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      const Register a = Vector::multiply(factor, Vector::subtract(low_re, high_re));
      const Register b = Vector::multiply(factor, Vector::add(low_im, high_im));
      even[k] = Vector::add(low_re, high_re);
      even[N / 2 - k] = Vector::subtract(low_im, high_im);
      odd[k] = steep ? Vector::multiply_subtract(r, a, b) : Vector::subtract_product(a, r, b);
      odd[N / 2 - k] = steep ? Vector::multiply_add(r, b, a) : Vector::multiply_add(r, a, b);
    };
#pragma GCC unroll 4
    for (int k = 1; k <= eighth; ++k) butterfly(k, false);
#pragma GCC unroll 4
    for (int k = eighth + 1; k < quarter; ++k) butterfly(k, true);
  }

  [[gnu::noinline]] static void forward_call(const Scalar* samples, ptrdiff_t step, Register* spectrum) {
    forward_inline(samples, step, spectrum);
  }
  [[gnu::noinline]] static void inverse_call(Register* spectrum, Scalar* samples, ptrdiff_t step) {
    inverse_inline(spectrum, samples, step);
  }

  [[gnu::always_inline]] static void forward(const Scalar* samples, ptrdiff_t step, Register* spectrum) {
    if constexpr (N <= largest_unrolled) {
      forward_inline(samples, step, spectrum);
    } else {
      forward_call(samples, step, spectrum);
    }
  }
  [[gnu::always_inline]] static void inverse(Register* spectrum, Scalar* samples, ptrdiff_t step) {
    if constexpr (N <= largest_unrolled) {
      inverse_inline(spectrum, samples, step);
    } else {
      inverse_call(spectrum, samples, step);
    }
  }
};

template <class Vector>
struct RealFourier<Vector, 4> {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;

  [[gnu::always_inline]] static void forward(const Scalar* samples, ptrdiff_t step, Register* spectrum) {
    const Register x0 = Vector::load(samples);
    const Register x1 = Vector::load(samples + step);
    const Register x2 = Vector::load(samples + 2 * step);
    const Register x3 = Vector::load(samples + 3 * step);
    const Register even = Vector::add(x0, x2);
    const Register odd = Vector::add(x1, x3);
    spectrum[0] = Vector::add(even, odd);
    spectrum[1] = Vector::subtract(x0, x2);
    spectrum[2] = Vector::subtract(even, odd);
    spectrum[3] = Vector::subtract(x3, x1);
  }

  [[gnu::always_inline]] static void inverse(const Register* spectrum, Scalar* samples, ptrdiff_t step) {
    const Register two = Vector::broadcast(2);
    const Register even = Vector::add(spectrum[0], spectrum[2]);
    const Register odd = Vector::subtract(spectrum[0], spectrum[2]);
    Vector::store(samples, Vector::multiply_add(two, spectrum[1], even));
    Vector::store(samples + step, Vector::subtract_product(odd, two, spectrum[3]));
    Vector::store(samples + 2 * step, Vector::subtract_product(even, two, spectrum[1]));
    Vector::store(samples + 3 * step, Vector::multiply_add(two, spectrum[3], odd));
  }
};

}  // namespace
}  // namespace tapconv::kernels
