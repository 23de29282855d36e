// A block of overlap-save whose samples are not of like size is divided into the parts of this file.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "composed/accuracy/levels.h"

namespace tapconv::composed {

// An infinite number here is a NaN or an infinity.
template <class Scalar>
struct Infinite {
  int64_t row;
  int64_t at;
  Scalar value;
};

template <class Scalar>
struct SpecialBlock {
  std::vector<Scalar> finite;  // the rows without NaN and infinity; empty if the rows can be transformed as they are
  std::vector<Scalar> rest;    // those without what is summed apart as whole numbers; empty if nothing is
  std::vector<Infinite<Scalar>> infinite;    // in the order of their places
  std::vector<std::vector<Scalar>> windows;  // the largest sample that each sees in `rest`, or else in `finite`
  Levels<Scalar> plan;

  bool has_whole() const { return !rest.empty(); }
  size_t passes() const { return plan.levels.size() + (has_whole() ? 1 : 0); }
  bool is_whole(size_t pass) const { return has_whole() && pass == 0; }
  const Level<Scalar>& level(size_t pass) const { return plan.levels[pass - (has_whole() ? 1 : 0)]; }

  // Fills `rows` with what a pass transforms.
  void fill(size_t pass, Scalar* rows) const {
    if (pass >= passes()) return std::fill(rows, rows + finite.size(), Scalar(0));
    if (is_whole(pass)) {
      for (size_t i = 0; i < finite.size(); ++i) rows[i] = finite[i] - rest[i];
      return;
    }
    const Level<Scalar>& l = level(pass);
    const Scalar* const from = has_whole() ? rest.data() : finite.data();
    for (size_t i = 0; i < finite.size(); ++i) {
      const Scalar size = std::abs(from[i]);
      rows[i] = size > l.above && size <= l.upto ? from[i] : Scalar(0);
    }
    if (l.exponent == 0) return;
    for (size_t i = 0; i < finite.size(); ++i) rows[i] = std::ldexp(rows[i], -l.exponent);
  }
};

// Multiplies by 2^exponent, in two steps that each fit the type.
template <class Scalar>
Scalar scaled(Scalar value, int exponent) {
  return exponent == 0 ? value : std::ldexp(value, exponent);
}

}  // namespace tapconv::composed
