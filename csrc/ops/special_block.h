// What a block of overlap-save whose samples are not of like size is divided into.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/levels.h"

namespace tapconv::ops {

// Multiplied by 2^exponent.
template <class Scalar>
Scalar scaled(Scalar value, int exponent) {
  return exponent == 0 ? value : std::ldexp(value, exponent);
}

template <class Scalar>
struct SpecialBlock {
  std::vector<Scalar> finite;            // the rows without NaN and infinity; empty if the rows are left in their place
  std::vector<Scalar> rest;              // those without what is summed apart as whole numbers; empty if nothing is
  std::vector<Sample<Scalar>> infinite;  // NaN and infinity, in the order of their places
  std::vector<std::vector<Scalar>> windows;  // the largest sample that each sees in `rest`, or else in `finite`
  Levels<Scalar> plan;

  bool has_whole() const { return !rest.empty(); }
  size_t passes() const { return plan.levels.size() + (has_whole() ? 1 : 0); }
  bool is_whole(size_t pass) const { return has_whole() && pass == 0; }
  const Level<Scalar>& level(size_t pass) const { return plan.levels[pass - (has_whole() ? 1 : 0)]; }

  // What a pass transforms, in rows of `size` samples.
  void fill(size_t pass, int64_t size, Scalar* rows) const {
    if (pass >= passes()) return std::fill(rows, rows + finite.size(), Scalar(0));
    if (is_whole(pass)) {
      for (size_t i = 0; i < finite.size(); ++i) rows[i] = finite[i] - rest[i];
      return;
    }
    const Level<Scalar>& l = level(pass);
    const Scalar* const from = has_whole() ? rest.data() : finite.data();
    const int64_t count = static_cast<int64_t>(plan.quietest.size());
    if (count == 0) std::copy(from, from + finite.size(), rows);  // one level has them all
    for (int64_t row = 0; row < static_cast<int64_t>(finite.size()) && count > 0; row += size) {
      for (int64_t at = 0; at < count; ++at) {
        const Scalar x = from[row + at];
        rows[row + at] = plan.has(l, at, std::abs(x)) ? x : Scalar(0);
      }
      std::fill(rows + row + count, rows + row + size, Scalar(0));
    }
    for (size_t i = 0; i < finite.size() && l.exponent != 0; ++i) rows[i] = scaled(rows[i], -l.exponent);
  }
};

}  // namespace tapconv::ops
