// Large transforms of many rows by torch's library, and products of their spectra. Everything here runs on the calling
// thread, below autograd, and gives the same bits inside and outside of parallel regions.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "ops/magnitudes.h"

namespace tapconv::ops {

// Rows (rows, size) of real samples to spectra (rows, size / 2 + 1).
at::Tensor spectra_of(const at::Tensor& rows);

// The way back, scaled.
at::Tensor rows_of(const at::Tensor& spectra, int64_t size);

// Filters (groups, out, in, frequencies) in the order that multiply() wants; groups stay first.
at::Tensor arrange_filters(const at::Tensor& filters);

// The sum over `in` of filters, arranged, and inputs (units, groups, in, frequencies): (units, groups, out,
// frequencies), contiguous. May use the memory of `inputs` for it.
at::Tensor multiply(const at::Tensor& inputs, const at::Tensor& arranged_filters, int64_t out, int64_t in);

// The largest magnitude of a spectrum.
template <class Scalar>
double largest_gain_of(const c10::complex<Scalar>* spectrum, int64_t frequencies) {
  using L = Lanes<Scalar>;
  using Vector = typename L::Vector;
  const Scalar* const parts = reinterpret_cast<const Scalar*>(spectrum);
  Vector real{};  // picks the lanes where a number begins
  for (int64_t lane = 0; lane < L::width; lane += 2) real[lane] = 1;
  Vector largest[L::chains] = {};
  int64_t f = 0;
  // One beyond the vector is read.
  for (; 2 * f + L::step < 2 * frequencies; f += L::step / 2) {
    for (int64_t chain = 0; chain < L::chains; ++chain) {
      const Vector a = L::load(parts + 2 * f + chain * L::width);
      const Vector b = L::load(parts + 2 * f + chain * L::width + 1);
      largest[chain] = L::larger((a * a + b * b) * real, largest[chain]);
    }
  }
  Scalar all = 0;
  for (; f < frequencies; ++f) {
    all = std::max(all, parts[2 * f] * parts[2 * f] + parts[2 * f + 1] * parts[2 * f + 1]);
  }
  for (int64_t i = 0; i < L::step; ++i) all = std::max(all, largest[i / L::width][i % L::width]);
  return std::sqrt(static_cast<double>(all));
}

// Adds to `sums` (groups, out, in, frequencies) the sum over `units` of inputs (units, groups, in, frequencies) times
// the conjugates of outputs (units, groups, out, frequencies).
void add_correlations(const at::Tensor& outputs, const at::Tensor& inputs, at::Tensor& sums);

}  // namespace tapconv::ops
