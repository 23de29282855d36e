// The Toom-Cook transforms of short tiles, which convolutional networks know as Winograd's F(4, 3) and F(4, 2). They
// make four outputs of three taps from six products, or of two taps from five, which is the least there can be. Samples
// and taps are polynomials, evaluated at all points but one and at infinity (their highest coefficient: the product of
// the last tap), and the outputs are interpolated from the products. This is the transposed form, that of a
// correlation: the samples take the transposed interpolation and the outputs the transposed evaluation.
//
// Rounding grows with the points. For three taps, at 0, 1, -1, 1/2, -2, it is two to three times that of a direct sum,
// a third less than at the customary 0, 1, -1, 2, -2; for two taps, at 0, 1, -1, 1/2, a little less than two times.
// F(2, 3), with 0, 1, -1, rounds like a direct sum, but takes more products for an output than a Fourier transform of
// eight samples, which rounds as well; F(6, 3) rounds five times as coarsely, and F(6, 2) twice as coarsely as F(4, 2).
//
// Sources: Toom 1963, Cook 1966, Winograd 1980; Lavin and Gray 2016 for convolutional layers; Barabasz, Anderson,
// Soodhalter and Gregg 2020 for the points.
#pragma once

#include <cstddef>

namespace tapconv::kernels {
namespace {

template <class Vector>
struct WinogradTwoTaps {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;

  // Each point's polynomial is the product of (x - other points). With the differences d_i = x^(i+2) - x^i they share
  // parts.
  [[gnu::noinline]] static void input(const Scalar* samples, Scalar* to, ptrdiff_t plane, Scalar* last) {
    Register x[5];
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) x[i] = Vector::load(samples + i * width);
    const Register half = Vector::broadcast(Scalar(0.5));
    const Register d0 = Vector::subtract(x[2], x[0]);
    const Register d1 = Vector::subtract(x[3], x[1]);
    const Register d2 = Vector::subtract(x[4], x[2]);
    Vector::store(to, Vector::subtract_product(d1, half, d0));
    Vector::store(to + plane, Vector::subtract_product(Vector::add(x[3], x[2]), half, Vector::add(x[2], x[1])));
    Vector::store(to + 2 * plane,
                  Vector::subtract_product(Vector::subtract(x[3], x[2]), half, Vector::subtract(x[2], x[1])));
    Vector::store(to + 3 * plane, d1);
    if (last != nullptr) Vector::store(last, Vector::subtract_product(d2, half, d1));
  }

  // Evaluates the polynomial of the taps at the points, divided by what that of the sample is there.
  [[gnu::noinline]] static void weight(const Scalar* taps, Scalar* to, ptrdiff_t plane) {
    const Register w0 = Vector::load(taps);
    const Register w1 = Vector::load(taps + width);
    const auto constant = [](double value) { return Vector::broadcast(static_cast<Scalar>(value)); };
    Vector::store(to, Vector::add(w0, w0));
    Vector::store(to + plane, Vector::add(w0, w1));
    Vector::store(to + 2 * plane, Vector::multiply(constant(1.0 / 3), Vector::subtract(w1, w0)));
    Vector::store(to + 3 * plane, Vector::multiply(constant(-8.0 / 3), Vector::multiply_add(constant(0.5), w1, w0)));
    Vector::store(to + 4 * plane, w1);
  }

  // Adds up powers of the points times the products.
  [[gnu::noinline]] static void output(const Scalar* from, ptrdiff_t plane, Scalar bias, Scalar* samples) {
    Register p[5];
#pragma GCC unroll 5
    for (int i = 0; i < 5; ++i) p[i] = Vector::load(from + i * plane);
    const Register start = Vector::broadcast(bias);
    const Register even = Vector::add(Vector::add(p[1], p[2]), start);
    const Register odd = Vector::add(Vector::subtract(p[1], p[2]), start);
    const auto add_power = [&](Register sum, double power) {
      return Vector::multiply_add(Vector::broadcast(static_cast<Scalar>(power)), p[3], sum);
    };
    Vector::store(samples, Vector::add(Vector::add(p[3], p[0]), even));
    Vector::store(samples + width, add_power(odd, 0.5));
    Vector::store(samples + 2 * width, add_power(even, 0.25));
    Vector::store(samples + 3 * width, Vector::add(add_power(odd, 0.125), p[4]));
  }
};

template <class Vector>
struct WinogradThreeTaps {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;

  // With u = x^4 - x^2, v = x^3 - x and q = (x - 1/2)(x + 2), multiplied by powers of x, all six share their parts.
  [[gnu::noinline]] static void input(const Scalar* samples, Scalar* to, ptrdiff_t plane, Scalar* last) {
    Register x[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) x[i] = Vector::load(samples + i * width);
    const Register three_halves = Vector::broadcast(Scalar(1.5));
    const Register two = Vector::broadcast(Scalar(2));
    const Register half = Vector::broadcast(Scalar(0.5));
    const Register u = Vector::subtract(x[4], x[2]);
    const Register v = Vector::subtract(x[3], x[1]);
    const Register q0 = Vector::multiply_add(three_halves, x[1], Vector::subtract(x[2], x[0]));
    const Register q1 = Vector::multiply_add(three_halves, x[2], v);
    const Register q2 = Vector::multiply_add(three_halves, x[3], u);
    const Register q3 = Vector::multiply_add(three_halves, x[4], Vector::subtract(x[5], x[3]));
    Vector::store(to, Vector::subtract(q2, q0));
    Vector::store(to + plane, Vector::add(q2, q1));
    Vector::store(to + 2 * plane, Vector::subtract(q2, q1));
    Vector::store(to + 3 * plane, Vector::multiply_add(two, v, u));
    Vector::store(to + 4 * plane, Vector::subtract_product(u, half, v));
    if (last != nullptr) Vector::store(last, Vector::subtract(q3, q1));
  }

  [[gnu::noinline]] static void weight(const Scalar* taps, Scalar* to, ptrdiff_t plane) {
    const Register w0 = Vector::load(taps);
    const Register w1 = Vector::load(taps + width);
    const Register w2 = Vector::load(taps + 2 * width);
    const auto constant = [](double value) { return Vector::broadcast(static_cast<Scalar>(value)); };
    const Register even = Vector::add(w0, w2);
    const Register at_half = Vector::multiply_add(constant(0.25), w2, Vector::multiply_add(constant(0.5), w1, w0));
    const Register at_minus_two = Vector::multiply_add(constant(4), w2, Vector::subtract_product(w0, constant(2), w1));
    Vector::store(to, w0);
    Vector::store(to + plane, Vector::multiply(constant(1.0 / 3), Vector::add(even, w1)));
    Vector::store(to + 2 * plane, Vector::multiply(constant(-1.0 / 3), Vector::subtract(even, w1)));
    Vector::store(to + 3 * plane, Vector::multiply(constant(-16.0 / 15), at_half));
    Vector::store(to + 4 * plane, Vector::multiply(constant(1.0 / 15), at_minus_two));
    Vector::store(to + 5 * plane, w2);
  }

  [[gnu::noinline]] static void output(const Scalar* from, ptrdiff_t plane, Scalar bias, Scalar* samples) {
    Register p[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) p[i] = Vector::load(from + i * plane);
    const Register start = Vector::broadcast(bias);
    const Register even = Vector::add(Vector::add(p[1], p[2]), start);
    const Register odd = Vector::add(Vector::subtract(p[1], p[2]), start);
    // Returns sum + p3 / 2^i + p4 * (-2)^i.
    const auto add_powers = [&](Register sum, double half_power, double two_power) {
      const Register with_half = Vector::multiply_add(Vector::broadcast(static_cast<Scalar>(half_power)), p[3], sum);
      return Vector::multiply_add(Vector::broadcast(static_cast<Scalar>(two_power)), p[4], with_half);
    };
    Vector::store(samples, Vector::add(Vector::add(p[3], p[4]), Vector::add(even, p[0])));
    Vector::store(samples + width, add_powers(odd, 0.5, -2));
    Vector::store(samples + 2 * width, add_powers(even, 0.25, 4));
    Vector::store(samples + 3 * width, Vector::add(add_powers(odd, 0.125, -8), p[5]));
  }
};

}  // namespace
}  // namespace tapconv::kernels
