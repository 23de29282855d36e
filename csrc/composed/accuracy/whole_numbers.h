// Some tensors hold whole numbers alone: masks, counts, one-hot codes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "kernels/problem.h"

namespace tapconv::composed {

struct WholeNumbers {
  double largest = 0;
  double magnitude = 0;  // the largest sum of |x| of a channel, over samples and times
  double squares = 0;    // the largest sum of squares of one
};

// For sums of products of whole numbers: the error of transforms in double, by a generous bound, and the largest sum.
struct WholeSums {
  double error;
  double largest;
};

// Returns nothing at the first number that is not whole.
template <class Storage>
std::optional<WholeNumbers> whole_numbers(const Storage* from, int64_t batch, int64_t channels, int64_t length,
                                          const kernels::ActivationStrides& strides) {
  WholeNumbers all;
  for (int64_t c = 0; c < channels; ++c) {
    double magnitude = 0;
    double squares = 0;
    for (int64_t n = 0; n < batch; ++n) {
      for (int64_t t = 0; t < length; ++t) {
        const double x = static_cast<double>(from[n * strides.batch + c * strides.channel + t * strides.time]);
        if (x != std::trunc(x)) return std::nullopt;
        all.largest = std::max(all.largest, std::abs(x));
        magnitude += std::abs(x);
        squares += x * x;
      }
    }
    all.magnitude = std::max(all.magnitude, magnitude);
    all.squares = std::max(all.squares, squares);
  }
  return all;
}

}  // namespace tapconv::composed
