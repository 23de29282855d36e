// This file says how large samples are: those of a row, of its parts, and of the windows that sums see.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tapconv::composed {

constexpr int64_t magnitude_lanes = 16;

template <class Scalar>
struct Magnitude {
  Scalar largest = 0;  // |x|, NaN left out
  Scalar squares = 0;  // their sum, which is not finite if a sample is not
};

// Measures a row, and raises each element of `chunks` to the largest |x| of its `chunk` samples, of which the last
// chunk may have fewer. Lanes are added up apart from each other, as vectors of any instruction set can do it.
template <class Scalar>
Magnitude<Scalar> measure(const Scalar* row, int64_t count, int64_t chunk, Scalar* chunks) {
  Magnitude<Scalar> all;
  for (int64_t begin = 0; begin < count; begin += chunk, ++chunks) {
    const Scalar* const x = row + begin;
    const int64_t end = std::min(chunk, count - begin);
    Scalar largest[magnitude_lanes] = {};
    Scalar squares[magnitude_lanes] = {};
    int64_t i = 0;
    for (; i + magnitude_lanes <= end; i += magnitude_lanes) {
      for (int64_t lane = 0; lane < magnitude_lanes; ++lane) {
        const Scalar size = std::abs(x[i + lane]);
        largest[lane] = size > largest[lane] ? size : largest[lane];
        squares[lane] += size * size;
      }
    }
    for (; i < end; ++i) {
      largest[0] = std::max(largest[0], std::abs(x[i]));
      squares[0] += x[i] * x[i];
    }
    for (int64_t lane = 1; lane < magnitude_lanes; ++lane) {
      largest[0] = std::max(largest[0], largest[lane]);
      squares[0] += squares[lane];
    }
    *chunks = std::max(*chunks, largest[0]);
    all.largest = std::max(all.largest, largest[0]);
    all.squares += squares[0];
  }
  return all;
}

// Raises each element of `maxima` to the largest of the `window` values that begin at its place. `values` has
// count + window - 1 elements, and is overwritten.
template <class Scalar>
void slide_maximum(Scalar* values, int64_t count, int64_t window, Scalar* maxima) {
  int64_t covered = 1;  // values[i] stands for as many from i on
  for (; 2 * covered <= window; covered *= 2) {
    const int64_t last = count + window - 2 * covered;
#pragma GCC ivdep
    for (int64_t i = 0; i < last; ++i) {
      values[i] = values[i] > values[i + covered] ? values[i] : values[i + covered];
    }
  }
  const Scalar* const rest = values + window - covered;
  for (int64_t i = 0; i < count; ++i) maxima[i] = std::max(maxima[i], std::max(values[i], rest[i]));
}

// Sums are added up in pieces of so many numbers, in lanes, and the pieces in double, so that errors hardly grow with
// the length.
constexpr int64_t sum_piece = 512;

struct RowSums {
  double sum = 0;
  double magnitude = 0;  // of |x|
  double nonzero = 0;    // numbers that are not zero
};

template <class Scalar>
RowSums sums_of(const Scalar* row, int64_t count) {
  RowSums all;
  for (int64_t begin = 0; begin < count; begin += sum_piece) {
    const int64_t end = std::min(begin + sum_piece, count);
    Scalar sums[magnitude_lanes] = {};
    Scalar sizes[magnitude_lanes] = {};
    Scalar nonzero[magnitude_lanes] = {};
    int64_t i = begin;
    for (; i + magnitude_lanes <= end; i += magnitude_lanes) {
      for (int64_t lane = 0; lane < magnitude_lanes; ++lane) {
        sums[lane] += row[i + lane];
        sizes[lane] += std::abs(row[i + lane]);
        nonzero[lane] += row[i + lane] != 0 ? Scalar(1) : Scalar(0);
      }
    }
    for (; i < end; ++i) {
      sums[0] += row[i];
      sizes[0] += std::abs(row[i]);
      nonzero[0] += row[i] != 0;
    }
    for (int64_t lane = 0; lane < magnitude_lanes; ++lane) {
      all.sum += static_cast<double>(sums[lane]);
      all.magnitude += static_cast<double>(sizes[lane]);
      all.nonzero += static_cast<double>(nonzero[lane]);
    }
  }
  return all;
}

// Returns the sum of products, in double.
template <class Scalar>
double dot(const Scalar* a, const Scalar* b, int64_t count) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += sum_piece) {
    const int64_t end = std::min(begin + sum_piece, count);
    double sums[magnitude_lanes] = {};
    int64_t i = begin;
    for (; i + magnitude_lanes <= end; i += magnitude_lanes) {
      for (int64_t lane = 0; lane < magnitude_lanes; ++lane) {
        sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
      }
    }
    for (; i < end; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    for (const double lane : sums) total += lane;
  }
  return total;
}

}  // namespace tapconv::composed
