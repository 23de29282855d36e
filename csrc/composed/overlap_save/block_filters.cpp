#include "composed/overlap_save/block_filters.h"

#include <ATen/EmptyTensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "composed/spectra.h"
#include "kernels/core/integers.h"
#include "kernels/overlap_save.h"
#include "runtime/each_task.h"

namespace tapconv::composed {
namespace {

constexpr int64_t task_bytes = 4 << 20;

// Taps of this size leave room for samples of the size that is_ordinary() (levels.h) allows.
constexpr int largest_exponent = 30;

// Calls body(first, last) for blocks of filters, side by side.
template <class Scalar, class Body>
void each_block(int64_t count, int64_t size, const Body& body) {
  const int64_t block = std::max<int64_t>(task_bytes / (size * static_cast<int64_t>(sizeof(Scalar))), 2);
  runtime::each_task(kernels::ceil_div(count, block),
                     [&](int64_t i) { body(i * block, std::min((i + 1) * block, count)); });
}

}  // namespace

template <class Scalar>
struct BlockFilters<Scalar>::Measured {
  double sum = 0;  // of magnitudes
  double squares = 0;
  Scalar largest = 0;
  int64_t nonzero = 0;
};

template <class Scalar>
BlockFilters<Scalar>::BlockFilters(const FilterShape& shape, const std::function<void(int64_t, Scalar*)>& fill)
    : shape_(shape),
      taps_(shape.count() * shape.taps),
      sparse_(shape.groups * shape.out),
      sparse_taps_(shape.groups * shape.out),
      exponents_(shape.groups * shape.out),
      sums_(shape.groups * shape.out),
      gains_(shape.groups) {
  std::vector<Measured> measured(shape.count());
  std::atomic<bool> finite = true;
  std::atomic<bool> whole = true;
  each_block<Scalar>(shape.count(), shape.size, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Scalar* const taps = taps_.data() + i * shape_.taps;
      fill(i, taps);
      Measured m;
      for (int64_t t = 0; t < shape_.taps; ++t) {
        const double size = std::abs(static_cast<double>(taps[t]));
        m.sum += size;
        m.squares += size * size;
        m.largest = std::max(m.largest, std::abs(taps[t]));
        m.nonzero += taps[t] != 0;
      }
      if (!std::isfinite(m.sum)) finite = false;
      for (int64_t t = 0; t < shape_.taps && whole; ++t) {
        if (taps[t] != std::trunc(taps[t])) whole = false;
      }
      measured[i] = m;
    }
  });
  finite_ = finite;
  if (!finite_) return;
  measure(measured);
  if (!whole) whole_limit_ = 0;
  if (!all_sparse(0, shape_.groups)) {
    std::vector<double> peaks(shape_.count());
    transform(peaks);
    for (int64_t o = 0; o < shape_.groups * shape_.out; ++o) {
      if (is_sparse(o)) continue;
      double gain = 0;
      for (int64_t i = 0; i < shape_.in; ++i) gain += peaks[o * shape_.in + i];
      gain = std::ldexp(gain, exponents_[o]) / sums_[o];
      gains_[o / shape_.out] = std::max(gains_[o / shape_.out], gain);
    }
  }
}

// Holds what a sum over the inputs of an output adds up to.
template <class Scalar>
void BlockFilters<Scalar>::measure(const std::vector<Measured>& filters) {
  const double max_products =
      kernels::block_row_cost(shape_.size) / (direct_product_cost * static_cast<double>(shape_.size));
  double norm = 0;
  for (int64_t o = 0; o < shape_.groups * shape_.out; ++o) {
    Scalar largest = 0;
    int64_t nonzero = 0;
    bool single = true;
    double output_norm = 0;
    for (int64_t i = o * shape_.in; i < (o + 1) * shape_.in; ++i) {
      sums_[o] += filters[i].sum;
      output_norm += std::sqrt(filters[i].squares);
      largest = std::max(largest, filters[i].largest);
      nonzero += filters[i].nonzero;
      single = single && filters[i].nonzero <= 1;
    }
    magnitude_ = std::max(magnitude_, sums_[o]);
    norm = std::max(norm, output_norm);
    if (largest > std::ldexp(Scalar(1), largest_exponent) || largest < std::ldexp(Scalar(1), -largest_exponent)) {
      exponents_[o] = largest == 0 ? 0 : std::ilogb(largest);
    }
    sparse_[o] = single || static_cast<double>(nonzero) <= max_products;
    if (!is_sparse(o)) continue;
    for (int64_t i = 0; i < shape_.in; ++i) {
      const Scalar* const taps = this->taps(o * shape_.in + i);
      for (int64_t t = 0; t < shape_.taps; ++t) {
        if (taps[t] != 0) sparse_taps_[o].push_back({i, t, taps[t]});
      }
    }
  }
  const double size = static_cast<double>(shape_.size);
  const double precision = std::ldexp(1.0, -53) * std::log2(size) * norm * std::sqrt(size);
  const double limit = precision == 0 ? 0 : whole_margin / precision;
  whole_limit_ = limit >= 1 ? limit : 0;
}

template <class Scalar>
void BlockFilters<Scalar>::transform(std::vector<double>& peaks) {
  constexpr at::ScalarType real = c10::CppTypeToScalarType<Scalar>::value;
  constexpr at::ScalarType complex = c10::CppTypeToScalarType<c10::complex<Scalar>>::value;
  const int64_t frequencies = shape_.size / 2 + 1;
  const at::Tensor spectra = at::detail::empty_cpu({shape_.count(), frequencies}, complex);
  each_block<Scalar>(shape_.count(), shape_.size, [&](int64_t first, int64_t last) {
    const at::Tensor rows = at::detail::empty_cpu({last - first, shape_.size}, real);
    Scalar* row = rows.mutable_data_ptr<Scalar>();
    for (int64_t i = first; i < last; ++i, row += shape_.size) {
      const int64_t output = i / shape_.in;
      const int64_t count = is_sparse(output) ? 0 : shape_.taps;
      const Scalar* const taps = this->taps(i);
      const int exponent = exponents_[output];
      for (int64_t t = 0; t < count; ++t) row[t] = exponent == 0 ? taps[t] : std::ldexp(taps[t], -exponent);
      std::fill(row + count, row + shape_.size, Scalar(0));
    }
    const at::Tensor part = spectra_of(rows);
    const c10::complex<Scalar>* const spectrum = part.const_data_ptr<c10::complex<Scalar>>();
    for (int64_t i = first; i < last; ++i) {
      peaks[i] = largest_gain_of(spectrum + (i - first) * frequencies, frequencies);
    }
    spectra.narrow(0, first, last - first).copy_(part.conj_physical());
  });
  spectra_ = arrange_filters(spectra.view({shape_.groups, shape_.out, shape_.in, frequencies}));
}

template <class Scalar>
bool BlockFilters<Scalar>::all_sparse(int64_t group, int64_t groups) const {
  const auto first = sparse_.begin() + group * shape_.out;
  return std::all_of(first, first + groups * shape_.out, [](char sparse) { return sparse != 0; });
}

template class BlockFilters<float>;
template class BlockFilters<double>;

}  // namespace tapconv::composed
