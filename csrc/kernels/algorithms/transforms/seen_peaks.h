// This file says which numbers may be transformed together. A transform's rounding error is relative to the largest
// number that it touches, while an output of a convolution sees only the samples under its taps, and a direct sum's
// error is relative to those. So numbers are transformed together only where the largest of them is not much larger
// than the largest that each result sees. What else there is goes to direct sums.
#pragma once

#include <cstdint>

#include "kernels/numbers/storage.h"
#include "kernels/numbers/value_range.h"
#include "tile_transforms.h"

namespace tapconv::kernels {
namespace {

// No number of a transform may be more than so many times as large as the largest number that a result sees. Fourier
// transforms lose up to 8.6 roundings of the largest number, Winograd's up to 21 (docs/algorithms.md states the bound
// that follows). Types that are rounded to fewer bits than sums have leave room for as much more.
template <class Storage>
constexpr ComputeType<Storage> largest_ratio(TileTransform transform) {
  const int whole = is_fourier(transform) ? 8 : 4;
  return static_cast<ComputeType<Storage>>(sizeof(Storage) == sizeof(ComputeType<Storage>) ? whole : 64 * whole);
}

// Says whether `largest`, the largest magnitude of a transform, is too large for a result that sees at the most `seen`.
// It is for NaN and infinity.
template <class Scalar>
bool is_uneven(Scalar largest, Scalar seen, Scalar ratio) {
  return !(largest <= largest_sample<Scalar>) || !(largest <= ratio * seen);
}

// Raises peaks[i] to the magnitude of row[i] where that is larger, for `count` elements rounded up to whole vectors.
template <class Vector>
void add_peaks(const typename Vector::Scalar* row, int64_t count, typename Vector::Scalar* peaks) {
  for (int64_t i = 0; i < count; i += Vector::width) {
    Vector::store(peaks + i, Vector::larger_magnitude(Vector::load(peaks + i), Vector::load(row + i)));
  }
}

// Each of `count` magnitudes becomes the largest of `taps` ones: itself and those that follow it `apart` elements from
// each other. Nothing stands behind the last one. It is done in place, by windows of twice the length each time. There
// is room for a vector behind the last element.
template <class Vector>
void slide_peaks(typename Vector::Scalar* peaks, int64_t count, int64_t taps, int64_t apart) {
  for (int64_t have = 1; have < taps;) {
    const int64_t more = have < taps - have ? have : taps - have;
    for (int64_t i = 0; i < count - more * apart; i += Vector::width) {
      const auto here = Vector::load(peaks + i);
      Vector::store(peaks + i, Vector::larger_magnitude(here, Vector::load(peaks + i + more * apart)));
    }
    have += more;
  }
}

// Finds the largest and the smallest of `count` magnitudes, at least one.
template <class Vector>
typename Vector::Scalar largest_of(const typename Vector::Scalar* magnitudes, int64_t count) {
  constexpr int width = Vector::width;
  typename Vector::Scalar lanes[width];
  auto largest = Vector::zero();
  int64_t i = 0;
  for (; i + width <= count; i += width) largest = Vector::larger_magnitude(largest, Vector::load(magnitudes + i));
  if (i < count) {
    const auto rest = Vector::load_partial(magnitudes + i, static_cast<int>(count - i));
    largest = Vector::larger_magnitude(largest, rest);
  }
  Vector::store(lanes, largest);
  typename Vector::Scalar result = lanes[0];
  for (int l = 1; l < width; ++l) {
    if (result == result && !(lanes[l] <= result)) result = lanes[l];
  }
  return result;
}

template <class Vector>
typename Vector::Scalar smallest_of(const typename Vector::Scalar* magnitudes, int64_t count) {
  constexpr int width = Vector::width;
  typename Vector::Scalar result = magnitudes[0];
  if (count < width) {
    for (int64_t i = 1; i < count; ++i) result = magnitudes[i] < result ? magnitudes[i] : result;
    return result;
  }
  auto smallest = Vector::load(magnitudes + count - width);
  for (int64_t i = 0; i + width < count; i += width) {
    smallest = Vector::smaller_magnitude(smallest, Vector::load(magnitudes + i));
  }
  typename Vector::Scalar lanes[width];
  Vector::store(lanes, smallest);
  result = lanes[0];
  for (int l = 1; l < width; ++l) result = lanes[l] < result ? lanes[l] : result;
  return result;
}

}  // namespace
}  // namespace tapconv::kernels
