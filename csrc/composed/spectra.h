// Large transforms of many rows by torch's library, and products of their spectra. Everything here runs on the calling
// thread, below autograd, and gives the same bits inside and outside of parallel regions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>

namespace tapconv::composed {

// Transforms rows (rows, size) of real samples to spectra (rows, size / 2 + 1).
at::Tensor spectra_of(const at::Tensor& rows);

// Transforms them back, scaled.
at::Tensor rows_of(const at::Tensor& spectra, int64_t size);

// Returns filters (groups, out, in, frequencies) in the order that multiply() wants. Groups stay first.
at::Tensor arrange_filters(const at::Tensor& filters);

// Returns the sum over `in` of filters, arranged, and inputs (units, groups, in, frequencies) as (units, groups, out,
// frequencies), contiguous. It may use the memory of `inputs` for that.
at::Tensor multiply(const at::Tensor& inputs, const at::Tensor& arranged_filters, int64_t out, int64_t in);

// Returns the largest magnitude of a spectrum.
template <class Scalar>
double largest_gain_of(const c10::complex<Scalar>* spectrum, int64_t frequencies) {
  Scalar largest = 0;
  for (int64_t f = 0; f < frequencies; ++f) {
    const Scalar square = spectrum[f].real() * spectrum[f].real() + spectrum[f].imag() * spectrum[f].imag();
    largest = square > largest ? square : largest;
  }
  return std::sqrt(static_cast<double>(largest));
}

// Adds to `sums` (groups, out, in, frequencies) the sum over `units` of inputs (units, groups, in, frequencies) times
// the conjugates of outputs (units, groups, out, frequencies).
void add_correlations(const at::Tensor& outputs, const at::Tensor& inputs, at::Tensor& sums);

}  // namespace tapconv::composed
