// Fourier transforms of real samples, one transform for each vector lane.
//
// Decimation in time, two at a time: the spectra of the even and the odd samples are combined by one butterfly for each
// pair of frequencies k and N/2 - k. The forward butterfly takes six multiply-adds and no other operation, by drawing
// the larger of sine and cosine out of the rotation: with cosine >= sine and r = sine / cosine, o * exp(-i angle) is
// cosine * ((re + r im) + (im - r re) i), whose outer factor joins the additions that follow. All factors are computed
// at compile time in double precision. Spectra are arrays re[0 .. N/2], im[0 .. N/2]; im[0] and im[N/2] are zero by
// definition and never touched.
#pragma once

#include <cstddef>

namespace tapconv::kernels {
namespace {

// sin and cos of angles up to pi / 4, by their series.
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

// The rotation by 2 pi k / n, 0 < k < n / 4.
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

// Up to this size a transform is laid out without loops or calls; above, the code would outgrow the instruction cache.
inline constexpr int largest_unrolled = 16;

template <class Vector, int N>
struct RealFourier {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  using Half = RealFourier<Vector, N / 2>;
  static constexpr int quarter = N / 4;
  static constexpr int eighth = N / 8;

  // Samples lie `step` elements apart.
  [[gnu::always_inline]] static void forward_inline(const Scalar* samples, ptrdiff_t step, Register* re, Register* im) {
    Register even_re[quarter + 1];
    Register even_im[quarter + 1];
    Register odd_re[quarter + 1];
    Register odd_im[quarter + 1];
    Half::forward(samples, 2 * step, even_re, even_im);
    Half::forward(samples + step, 2 * step, odd_re, odd_im);
    re[0] = Vector::add(even_re[0], odd_re[0]);
    re[N / 2] = Vector::subtract(even_re[0], odd_re[0]);
    re[quarter] = even_re[quarter];
    im[quarter] = Vector::subtract(Vector::zero(), odd_re[quarter]);
    const auto combine = [&](int k, Register factor, Register rotated_re, Register rotated_im) {
      re[k] = Vector::multiply_add(factor, rotated_re, even_re[k]);
      im[k] = Vector::multiply_add(factor, rotated_im, even_im[k]);
      re[N / 2 - k] = Vector::subtract_product(even_re[k], factor, rotated_re);
      im[N / 2 - k] = Vector::multiply_subtract(factor, rotated_im, even_im[k]);
    };
#pragma GCC unroll 4
    for (int k = 1; k <= eighth; ++k) {
      const Register factor = Vector::broadcast(rotations<Scalar, N>.larger[k]);
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      combine(k, factor, Vector::multiply_add(r, odd_im[k], odd_re[k]),
              Vector::subtract_product(odd_im[k], r, odd_re[k]));
    }
#pragma GCC unroll 4
    for (int k = eighth + 1; k < quarter; ++k) {
      const Register factor = Vector::broadcast(rotations<Scalar, N>.larger[k]);
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      combine(k, factor, Vector::multiply_add(r, odd_re[k], odd_im[k]),
              Vector::multiply_subtract(r, odd_im[k], odd_re[k]));
    }
  }

  // Not scaled: N times the samples.
  [[gnu::always_inline]] static void inverse_inline(const Register* re, const Register* im, Scalar* samples,
                                                    ptrdiff_t step) {
    Register even_re[quarter + 1];
    Register even_im[quarter + 1];
    Register odd_re[quarter + 1];
    Register odd_im[quarter + 1];
    even_re[0] = Vector::add(re[0], re[N / 2]);
    odd_re[0] = Vector::subtract(re[0], re[N / 2]);
    even_re[quarter] = Vector::add(re[quarter], re[quarter]);
    odd_re[quarter] = Vector::subtract(Vector::zero(), Vector::add(im[quarter], im[quarter]));
    const auto differ = [&](int k, Register& a, Register& b) {
      const Register factor = Vector::broadcast(rotations<Scalar, N>.larger[k]);
      even_re[k] = Vector::add(re[k], re[N / 2 - k]);
      even_im[k] = Vector::subtract(im[k], im[N / 2 - k]);
      a = Vector::multiply(factor, Vector::subtract(re[k], re[N / 2 - k]));
      b = Vector::multiply(factor, Vector::add(im[k], im[N / 2 - k]));
    };
    Register a;
    Register b;
#pragma GCC unroll 4
    for (int k = 1; k <= eighth; ++k) {
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      differ(k, a, b);
      odd_re[k] = Vector::subtract_product(a, r, b);
      odd_im[k] = Vector::multiply_add(r, a, b);
    }
#pragma GCC unroll 4
    for (int k = eighth + 1; k < quarter; ++k) {
      const Register r = Vector::broadcast(rotations<Scalar, N>.quotient[k]);
      differ(k, a, b);
      odd_re[k] = Vector::multiply_subtract(r, a, b);
      odd_im[k] = Vector::multiply_add(r, b, a);
    }
    Half::inverse(even_re, even_im, samples, 2 * step);
    Half::inverse(odd_re, odd_im, samples + step, 2 * step);
  }

  [[gnu::noinline]] static void forward_call(const Scalar* samples, ptrdiff_t step, Register* re, Register* im) {
    forward_inline(samples, step, re, im);
  }
  [[gnu::noinline]] static void inverse_call(const Register* re, const Register* im, Scalar* samples, ptrdiff_t step) {
    inverse_inline(re, im, samples, step);
  }

  [[gnu::always_inline]] static void forward(const Scalar* samples, ptrdiff_t step, Register* re, Register* im) {
    if constexpr (N <= largest_unrolled) {
      forward_inline(samples, step, re, im);
    } else {
      forward_call(samples, step, re, im);
    }
  }
  [[gnu::always_inline]] static void inverse(const Register* re, const Register* im, Scalar* samples, ptrdiff_t step) {
    if constexpr (N <= largest_unrolled) {
      inverse_inline(re, im, samples, step);
    } else {
      inverse_call(re, im, samples, step);
    }
  }
};

template <class Vector>
struct RealFourier<Vector, 4> {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;

  [[gnu::always_inline]] static void forward(const Scalar* samples, ptrdiff_t step, Register* re, Register* im) {
    const Register x0 = Vector::load(samples);
    const Register x1 = Vector::load(samples + step);
    const Register x2 = Vector::load(samples + 2 * step);
    const Register x3 = Vector::load(samples + 3 * step);
    const Register even = Vector::add(x0, x2);
    const Register odd = Vector::add(x1, x3);
    re[0] = Vector::add(even, odd);
    re[1] = Vector::subtract(x0, x2);
    re[2] = Vector::subtract(even, odd);
    im[1] = Vector::subtract(x3, x1);
  }

  [[gnu::always_inline]] static void inverse(const Register* re, const Register* im, Scalar* samples, ptrdiff_t step) {
    const Register two = Vector::broadcast(2);
    const Register even = Vector::add(re[0], re[2]);
    const Register odd = Vector::subtract(re[0], re[2]);
    Vector::store(samples, Vector::multiply_add(two, re[1], even));
    Vector::store(samples + step, Vector::subtract_product(odd, two, im[1]));
    Vector::store(samples + 2 * step, Vector::subtract_product(even, two, re[1]));
    Vector::store(samples + 3 * step, Vector::multiply_add(two, im[1], odd));
  }
};

}  // namespace
}  // namespace tapconv::kernels
