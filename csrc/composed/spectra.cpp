#include "composed/spectra.h"

#include <ATen/ops/_fft_c2r.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>

namespace tapconv::composed {
namespace {

constexpr int64_t last_dim = 1;
constexpr int64_t not_scaled = 0;
constexpr int64_t scaled_by_size = 2;

// Below this many pairs of channels, a sum of products frequency by frequency beats a matrix product for each.
constexpr int64_t worth_matrices = 32;

bool as_matrices(int64_t out, int64_t in) { return out * in >= worth_matrices && in > 1; }

// A single transform takes the library over four times as long as one of a pair.
at::Tensor at_least_two(const at::Tensor& rows) {
  return rows.size(0) == 1 ? at::constant_pad_nd(rows, {0, 0, 0, 1}) : rows;
}

}  // namespace

at::Tensor spectra_of(const at::Tensor& rows) {
  return at::_fft_r2c(at_least_two(rows), last_dim, not_scaled, /*onesided=*/true).narrow(0, 0, rows.size(0));
}

at::Tensor rows_of(const at::Tensor& spectra, int64_t size) {
  return at::_fft_c2r(at_least_two(spectra), last_dim, scaled_by_size, size).narrow(0, 0, spectra.size(0));
}

at::Tensor arrange_filters(const at::Tensor& filters) {
  return as_matrices(filters.size(1), filters.size(2)) ? filters.permute({0, 3, 1, 2}).contiguous()
                                                       : filters.contiguous();
}

at::Tensor multiply(const at::Tensor& inputs, const at::Tensor& arranged_filters, int64_t out, int64_t in) {
  const int64_t units = inputs.size(0);
  const int64_t groups = inputs.size(1);
  const int64_t frequencies = inputs.size(3);
  if (as_matrices(out, in)) {
    const at::Tensor columns = inputs.permute({1, 3, 2, 0}).reshape({groups * frequencies, in, units});
    const at::Tensor products = at::bmm(arranged_filters.view({groups * frequencies, out, in}), columns);
    return products.view({groups, frequencies, out, units}).permute({3, 0, 2, 1}).contiguous();
  }
  if (out == 1 && in == 1) return inputs.mul_(arranged_filters.select(2, 0));
  at::Tensor products = inputs.select(2, 0).unsqueeze(2).mul(arranged_filters.select(2, 0));
  for (int64_t i = 1; i < in; ++i) {
    products.addcmul_(inputs.select(2, i).unsqueeze(2), arranged_filters.select(2, i).unsqueeze(0));
  }
  return products.contiguous();
}

void add_correlations(const at::Tensor& outputs, const at::Tensor& inputs, at::Tensor& sums) {
  const at::Tensor conjugates = outputs.conj_physical();
  const int64_t units = inputs.size(0);
  const int64_t groups = sums.size(0);
  const int64_t out = sums.size(1);
  const int64_t in = sums.size(2);
  const int64_t frequencies = sums.size(3);
  if (as_matrices(out, in)) {
    const at::Tensor left = conjugates.permute({1, 3, 2, 0}).reshape({groups * frequencies, out, units});
    const at::Tensor right = inputs.permute({1, 3, 0, 2}).reshape({groups * frequencies, units, in});
    sums.add_(at::bmm(left, right).view({groups, frequencies, out, in}).permute({0, 2, 3, 1}));
    return;
  }
  for (int64_t u = 0; u < units; ++u) sums.addcmul_(conjugates[u].unsqueeze(2), inputs[u].unsqueeze(1));
}

}  // namespace tapconv::composed
