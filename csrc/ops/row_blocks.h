// Between activations and the blocks of overlap-save: padded, strided samples gathered into rows, results put back.
#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/problem.h"
#include "kernels/rows.h"

namespace tapconv::ops {

// Evenly spaced positions of a channel; position 0 is the first real sample.
struct Positions {
  int64_t first;
  int64_t step;
  int64_t count;
};

// The part [from, to) of the positions that lies in [0, length).
struct Part {
  int64_t from;
  int64_t to;
};
inline Part part_inside(const Positions& p, int64_t length) {
  const int64_t from = p.first >= 0 ? 0 : (-p.first + p.step - 1) / p.step;
  const int64_t to = length > p.first ? (length - p.first + p.step - 1) / p.step : 0;
  const int64_t end = std::min(to, p.count);
  return {std::min(from, end), end};
}

// Copies positions of one channel into a row, padding included; `input_length` and `input_strides.time` of the problem
// are the channel's. The rest of the row, up to `size`, is zero.
template <class Scalar, class Storage>
void gather(const kernels::Problem& problem, const Storage* channel, const Positions& p, int64_t size, Scalar* row) {
  const Part real = part_inside(p, problem.input_length);
  const auto border = [&](int64_t begin, int64_t end) {
    if (problem.padding_mode == kernels::PaddingMode::zeros) return std::fill(row + begin, row + end, Scalar(0));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t source = kernels::source_of(p.first + i * p.step, problem);
      row[i] = source < 0 ? Scalar(0) : static_cast<Scalar>(channel[source * problem.input_strides.time]);
    }
  };
  border(0, real.from);
  const int64_t apart = p.step * problem.input_strides.time;
  const Storage* const samples = channel + p.first * problem.input_strides.time;
  if (apart == 1) {
    for (int64_t i = real.from; i < real.to; ++i) row[i] = static_cast<Scalar>(samples[i]);
  } else {
    for (int64_t i = real.from; i < real.to; ++i) row[i] = static_cast<Scalar>(samples[i * apart]);
  }
  border(std::max(real.from, real.to), p.count);
  std::fill(row + p.count, row + size, Scalar(0));
}

// Could transforms, products of spectra or their sums over these samples leave the range of the type? True for NaN and
// infinity. Sums of squares of up to 2^80 (2^700 in double) leave room for 2^40 frequencies times channels.
template <class Scalar>
bool may_overflow(const Scalar* row, int64_t count) {
  constexpr int lanes = 16;
  Scalar squares[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int lane = 0; lane < lanes; ++lane) squares[lane] += row[i + lane] * row[i + lane];
  }
  for (; i < count; ++i) squares[0] += row[i] * row[i];
  Scalar sum = 0;
  for (const Scalar square : squares) sum += square;
  return !(sum <= std::ldexp(Scalar(1), sizeof(Scalar) == 8 ? 700 : 80));
}

// Writes results, each with `bias` added, to those of the positions that lie in [0, length).
template <class Scalar, class Storage>
void scatter(const Scalar* results, const Positions& p, int64_t length, int64_t time_stride, Scalar bias,
             Storage* channel) {
  const Part real = part_inside(p, length);
  for (int64_t i = real.from; i < real.to; ++i) {
    channel[(p.first + i * p.step) * time_stride] = static_cast<Storage>(results[i] + bias);
  }
}

}  // namespace tapconv::ops
