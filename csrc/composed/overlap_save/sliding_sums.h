// Sums of sliding products by large transforms, block by block. Each result is as accurate as what it sees allows
// (levels.h):
//
//     result[o][j] = sum over i, t of filter[o][i][t] * row[i][j + t]
//
// The output of a convolution and its gradient by the input are both of this form.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "composed/overlap_save/block_filters.h"

namespace tapconv::composed {

// The filters of a stride's phases may lack a tap: the last one for some inputs, or the first one for some outputs.
struct SlidingShape {
  FilterShape filters;
  std::vector<char> lacks_last;   // by input
  std::vector<char> lacks_first;  // by output
};

// Rows are (units, groups, in, size). The first results[unit] results of each unit are wanted.
struct SlidingBlocks {
  int64_t group;
  int64_t groups;
  std::vector<int64_t> results;

  int64_t units() const { return static_cast<int64_t>(results.size()); }
};

// Holds what a block of one group needs beside one transform.
template <class Scalar>
struct SpecialBlock;

template <class Scalar>
class SlidingSums {
 public:
  SlidingSums(SlidingShape shape, const std::function<void(int64_t index, Scalar* taps)>& fill);
  ~SlidingSums();

  bool are_finite() const { return filters_.are_finite(); }

  // Returns the results (units * groups * out, size) of rows (units * groups * in, size), which are overwritten. In
  // float, sums that are of nothing but whole numbers for some result are left to double, which has them exact. `left`
  // becomes true for such a block, by unit and group.
  at::Tensor sums_of(const at::Tensor& rows, const SlidingBlocks& blocks, std::vector<char>& left) const;

 private:
  using Special = SpecialBlock<Scalar>;

  std::unique_ptr<Special> examine(Scalar* rows, int64_t group, int64_t results, char& left) const;
  bool separate_whole(Special& special, const Scalar* rows, int64_t results) const;
  std::vector<std::vector<Scalar>> windows_of(const Scalar* rows, int64_t results) const;
  at::Tensor transformed(const at::Tensor& rows, const SlidingBlocks& blocks, int64_t units) const;
  void add_pass(const Special& special, size_t pass, int64_t group, const Scalar* sums, Scalar* to) const;
  void add_loud(const Special& special, int64_t group, int64_t results, Scalar* to) const;
  void sum_directly(const Special& special, const Scalar* rows, int64_t group, Scalar* to) const;
  void sum_sparse(const Scalar* rows, int64_t group, int64_t results, Scalar* to) const;
  void sum_infinite(const Special& special, int64_t group, int64_t results, Scalar* to) const;
  void finish(const Special* special, const Scalar* rows, int64_t group, int64_t results, Scalar* to) const;

  SlidingShape shape_;
  BlockFilters<Scalar> filters_;
  int64_t shortest_window_;
};

}  // namespace tapconv::composed
