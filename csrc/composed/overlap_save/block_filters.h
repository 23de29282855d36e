// The filters of overlap-save are their taps, their spectra, and what decides how they are summed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace tapconv::composed {

// Filters (groups, out, in) have at most `taps` taps each, and are for blocks of `size` samples.
struct FilterShape {
  int64_t groups;
  int64_t out;
  int64_t in;
  int64_t taps;
  int64_t size;

  int64_t count() const { return groups * out * in; }
};

// One product of a direct sum costs this, in the units of kernels::block_row_cost().
constexpr double direct_product_cost = 0.5;

// The largest errors of sums of products of spectra stay below a half, so that whole numbers stay exact, if precision *
// (norm of the filter) * (norm of the block) * log2(size) does not pass this.
constexpr double whole_margin = 0.125;

template <class Scalar>
class BlockFilters {
 public:
  // A tap that is not zero.
  struct Tap {
    int64_t in;
    int64_t at;
    Scalar value;
  };

  // fill(index, taps) writes all taps of one filter, zeros where it has fewer.
  BlockFilters(const FilterShape& shape, const std::function<void(int64_t index, Scalar* taps)>& fill);

  // Says whether no tap is a NaN or an infinity. Otherwise nothing below may be asked for.
  bool are_finite() const { return finite_; }

  const Scalar* taps(int64_t index) const { return taps_.data() + index * shape_.taps; }
  // Returns the conjugates of the spectra, arranged for multiply(). Those of outputs with few taps are zero.
  at::Tensor spectra(int64_t group, int64_t groups) const { return spectra_.narrow(0, group, groups); }

  // Says whether an output, of `groups * out`, has so few taps that are not zero that their products cost less than a
  // transform, or at most one for each input, as a delay has it. Direct sums of these also leave whole numbers and
  // single taps exact.
  bool is_sparse(int64_t output) const { return sparse_[output] != 0; }
  bool all_sparse(int64_t group, int64_t groups) const;
  const std::vector<Tap>& sparse_taps(int64_t output) const { return sparse_taps_[output]; }

  // The filters of an output were multiplied by 2^-exponent.
  int exponent(int64_t output) const { return exponents_[output]; }
  // Returns the largest gain of a group's transformed filters at any frequency, over the sum of their magnitudes.
  double gain(int64_t group) const { return gains_[group]; }
  // Returns up to which magnitude of integer samples sums are exact in double, or zero unless all taps are integers.
  double whole_limit() const { return whole_limit_; }
  // Returns the largest sum of magnitudes of an output's taps.
  double magnitude() const { return magnitude_; }

 private:
  struct Measured;
  void measure(const std::vector<Measured>& filters);
  void transform(std::vector<double>& peaks);

  FilterShape shape_;
  std::vector<Scalar> taps_;
  at::Tensor spectra_;
  std::vector<char> sparse_;
  std::vector<std::vector<Tap>> sparse_taps_;
  std::vector<int> exponents_;
  std::vector<double> sums_;  // of magnitudes, by output
  std::vector<double> gains_;
  double whole_limit_ = 0;
  double magnitude_ = 0;
  bool finite_ = true;
};

}  // namespace tapconv::composed
