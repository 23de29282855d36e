// The micro-kernel for one output channel: depthwise layers, the last layer of a vocoder, the input gradient of a
// one-channel layer. As no output channels share a loaded vector, taps share it. Taps k and k + period, where period *
// dilation is one vector, read the same vectors of the row, one vector apart. Taken together, Columns + Taps - 1 loads
// serve Columns * Taps multiplications. Where the instruction set can cut a vector out of two neighbours
// (ShiftingVector), the row is loaded aligned, once for all taps of a window, and the vectors of the other taps are cut
// from registers, since a load across two cache lines costs two to four times an aligned one.
//
// Register budget: Columns accumulators, Columns + 4 row vectors (one where vectors are not shifted), 4 weights and one
// vector at work, 29 of 32 at the most. Loop order: channels, then windows of 4 periods of taps, then the taps of the
// first period, then the up to 4 taps of a window. Each output is summed in that order whatever the tile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/integers.h"
#include "kernels/numbers/storage.h"
#include "kernels/simd/vector.h"

namespace tapconv::kernels {
namespace {

template <class Scalar>
struct WindowCall {
  const Scalar* rows;  // row elements of the tile's first output
  ptrdiff_t row_length;
  int64_t channels;
  int64_t taps;
  int64_t dilation;
  const Scalar* weight;  // [channel][tap]
  Scalar start;          // the bias
  Scalar* output;
  int last_count;   // outputs in the last vector
  bool accumulate;  // add to what the output holds, instead of starting from the bias
};

// Gives vector j of the row, beginning `shift` elements later, for j in [0, Count).
template <class Vector, int Count>
class LoadedRow {
 public:
  explicit LoadedRow(const typename Vector::Scalar* row) : row_(row) {}
  void shift_to(int64_t shift) { shift_ = shift; }
  typename Vector::Register at(int j) const { return Vector::load(row_ + shift_ + j * Vector::width); }

 private:
  const typename Vector::Scalar* row_;
  int64_t shift_ = 0;
};

template <class Vector, int Count>
  requires ShiftingVector<Vector>
class LoadedRow<Vector, Count> {
 public:
  explicit LoadedRow(const typename Vector::Scalar* row) {
#pragma GCC unroll 16
    for (int j = 0; j <= Count; ++j) vector_[j] = Vector::load(row + j * Vector::width);
  }
  void shift_to(int64_t shift) { shift_ = Vector::shift_of(static_cast<int>(shift)); }
  typename Vector::Register at(int j) const { return Vector::shifted(vector_[j], vector_[j + 1], shift_); }

 private:
  typename Vector::Register vector_[Count + 1];
  typename Vector::Shift shift_;
};

template <class Vector, int Columns, int Taps, class Row>
inline void add_taps(const Row& row, const typename Vector::Scalar* weight, int64_t period,
                     typename Vector::Register (&sum)[Columns]) {
  using Register = typename Vector::Register;
  Register w[Taps];
#pragma GCC unroll 4
  for (int b = 0; b < Taps; ++b) w[b] = Vector::broadcast(weight[b * period]);
#pragma GCC unroll 16
  for (int j = 0; j < Columns + Taps - 1; ++j) {
    const Register x = row.at(j);
#pragma GCC unroll 4
    for (int b = 0; b < Taps; ++b) {
      if (j - b >= 0 && j - b < Columns) sum[j - b] = Vector::multiply_add(x, w[b], sum[j - b]);
    }
  }
}

// Adds up to Taps periods of taps, beginning at `row` and `weight`; `left` taps remain in all.
template <class Vector, int Columns, int Taps>
inline void add_window(const typename Vector::Scalar* row, const typename Vector::Scalar* weight, int64_t period,
                       int64_t dilation, int64_t left, typename Vector::Register (&sum)[Columns]) {
  LoadedRow<Vector, Columns + Taps - 1> loaded(row);
  const int64_t last = left - (Taps - 1) * period;  // taps [0, last) of the first period have Taps taps in the window
  const int64_t full = min(last, period);
  for (int64_t first = 0; first < full; ++first) {
    loaded.shift_to(first * dilation);
    add_taps<Vector, Columns, Taps>(loaded, weight + first, period, sum);
  }
  if constexpr (Taps > 1) {
    for (int64_t first = full; first < period; ++first) {
      loaded.shift_to(first * dilation);
      add_taps<Vector, Columns, Taps - 1>(loaded, weight + first, period, sum);
    }
  }
}

template <class Vector, int Columns>
[[gnu::noinline]] void window_tile(const WindowCall<typename Vector::Scalar>& call) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  Register sum[Columns];
  Scalar* const last = call.output + (Columns - 1) * width;
  const Register start = Vector::broadcast(call.accumulate ? Scalar(0) : call.start);
#pragma GCC unroll 16
  for (int j = 0; j < Columns; ++j) sum[j] = start;
  const int64_t period = width / call.dilation;
  for (int64_t c = 0; c < call.channels; ++c) {
    const Scalar* row = call.rows + c * call.row_length;
    const Scalar* weight = call.weight + c * call.taps;
    int64_t left = call.taps;
    for (; left > 3 * period; left -= 4 * period) {
      add_window<Vector, Columns, 4>(row, weight, period, call.dilation, left, sum);
      row += 4 * width;
      weight += 4 * period;
    }
    if (left > 2 * period) {
      add_window<Vector, Columns, 3>(row, weight, period, call.dilation, left, sum);
    } else if (left > period) {
      add_window<Vector, Columns, 2>(row, weight, period, call.dilation, left, sum);
    } else if (left > 0) {
      add_window<Vector, Columns, 1>(row, weight, period, call.dilation, left, sum);
    }
  }
  if (call.accumulate) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns - 1; ++j) sum[j] = Vector::add(Vector::load(call.output + j * width), sum[j]);
    sum[Columns - 1] = Vector::add(Vector::load_partial(last, call.last_count), sum[Columns - 1]);
  }
#pragma GCC unroll 16
  for (int j = 0; j < Columns - 1; ++j) Vector::store(call.output + j * width, sum[j]);
  if (call.last_count == width) {
    Vector::store(last, sum[Columns - 1]);
  } else {
    Vector::store_partial(last, sum[Columns - 1], call.last_count);
  }
}

}  // namespace
}  // namespace tapconv::kernels
