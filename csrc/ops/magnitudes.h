// How large samples are: of a row, of its parts, and of the windows that sums see.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tapconv::ops {

// Vectors that any processor has, in the compiler's own type. What is summed up in them goes to a few in turn, since an
// addition takes some cycles.
template <class Scalar>
struct Lanes {
  using Vector [[gnu::vector_size(16)]] = Scalar;
  using Bits [[gnu::vector_size(16)]] = std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t>;
  static constexpr int64_t width = 16 / sizeof(Scalar);
  static constexpr int64_t chains = 4;
  static constexpr int64_t step = chains * width;

  static Vector load(const Scalar* from) {
    Vector v;
    std::memcpy(&v, from, sizeof(v));
    return v;
  }
  static Vector size_of(Vector v) {
    constexpr Scalar minus_zero = Scalar(-0.0);
    return reinterpret_cast<Vector>(reinterpret_cast<Bits>(v) & ~reinterpret_cast<Bits>(Vector{} + minus_zero));
  }
  static Vector larger(Vector a, Vector b) { return a > b ? a : b; }

  // body(x, chain) for the vectors of a row, rest(x) for the numbers after them.
  template <class Body, class Rest>
  static void for_each(const Scalar* row, int64_t count, const Body& body, const Rest& rest) {
    int64_t i = 0;
    for (; i + step <= count; i += step) {
#pragma GCC unroll 4
      for (int64_t chain = 0; chain < chains; ++chain) body(load(row + i + chain * width), chain);
    }
    for (; i < count; ++i) rest(row[i]);
  }
};

template <class Scalar>
struct Magnitude {
  Scalar largest = 0;  // |x|, NaN left out
  Scalar squares = 0;  // their sum, which is not finite if a sample is not
};

template <class Scalar>
Magnitude<Scalar> measure(const Scalar* row, int64_t count) {
  using L = Lanes<Scalar>;
  typename L::Vector largest[L::chains] = {};
  typename L::Vector squares[L::chains] = {};
  Magnitude<Scalar> all;
  L::for_each(
      row, count,
      [&](typename L::Vector x, int64_t chain) {
        largest[chain] = L::larger(L::size_of(x), largest[chain]);
        squares[chain] += x * x;
      },
      [&](Scalar x) {
        all.largest = std::max(all.largest, std::abs(x));
        all.squares += x * x;
      });
  for (int64_t i = 0; i < L::step; ++i) {
    all.largest = std::max(all.largest, largest[i / L::width][i % L::width]);
    all.squares += squares[i / L::width][i % L::width];
  }
  return all;
}

// The same of a row in chunks, of which the last may be shorter; raises each element of `chunks` to the chunk's
// largest.
template <class Scalar>
Magnitude<Scalar> measure_chunks(const Scalar* row, int64_t count, int64_t chunk, Scalar* chunks) {
  Magnitude<Scalar> all;
  for (int64_t begin = 0; begin < count; begin += chunk, ++chunks) {
    const Magnitude<Scalar> part = measure(row + begin, std::min(chunk, count - begin));
    *chunks = std::max(*chunks, part.largest);
    all.largest = std::max(all.largest, part.largest);
    all.squares += part.squares;
  }
  return all;
}

template <class Scalar>
struct Larger {
  Scalar operator()(Scalar a, Scalar b) const { return a > b ? a : b; }
};
template <class Scalar>
struct Smaller {
  Scalar operator()(Scalar a, Scalar b) const { return a < b ? a : b; }
};

// Each element of `results` becomes the choice among itself and the `window` values that begin at its place. `values`
// has count + window - 1 elements, and is overwritten.
template <class Scalar, class Choice>
void slide(Scalar* values, int64_t count, int64_t window, const Choice& choice, Scalar* results) {
  int64_t covered = 1;  // values[i] stands for as many from i on
  for (; 4 * covered <= window; covered *= 4) {
    const int64_t last = count + window - 4 * covered;
#pragma GCC ivdep
    for (int64_t i = 0; i < last; ++i) {
      const Scalar* const v = values + i;
      values[i] = choice(choice(v[0], v[covered]), choice(v[2 * covered], v[3 * covered]));
    }
  }
  for (; 2 * covered <= window; covered *= 2) {
    const int64_t last = count + window - 2 * covered;
#pragma GCC ivdep
    for (int64_t i = 0; i < last; ++i) values[i] = choice(values[i], values[i + covered]);
  }
  const Scalar* const rest = values + window - covered;
  for (int64_t i = 0; i < count; ++i) results[i] = choice(results[i], choice(values[i], rest[i]));
}

// Sums are added up in pieces of so many numbers, and the pieces in double: errors hardly grow with the length.
constexpr int64_t sum_piece = 512;

struct RowSums {
  double sum = 0;
  double magnitude = 0;  // of |x|
  double squares = 0;
  double nonzero = 0;  // numbers that are not zero
};

template <class Scalar>
RowSums sums_of(const Scalar* row, int64_t count) {
  using L = Lanes<Scalar>;
  RowSums all;
  for (int64_t begin = 0; begin < count; begin += sum_piece) {
    typename L::Vector sums[L::chains] = {};
    typename L::Vector sizes[L::chains] = {};
    typename L::Vector squares[L::chains] = {};
    typename L::Vector nonzero[L::chains] = {};
    L::for_each(
        row + begin, std::min(sum_piece, count - begin),
        [&](typename L::Vector x, int64_t chain) {
          sums[chain] += x;
          sizes[chain] += L::size_of(x);
          squares[chain] += x * x;
          nonzero[chain] += x != 0 ? typename L::Vector{} + 1 : typename L::Vector{};
        },
        [&](Scalar x) {
          all.sum += static_cast<double>(x);
          all.magnitude += std::abs(static_cast<double>(x));
          all.squares += static_cast<double>(x) * static_cast<double>(x);
          all.nonzero += x != 0 ? 1 : 0;
        });
    for (int64_t i = 0; i < L::step; ++i) {
      all.sum += static_cast<double>(sums[i / L::width][i % L::width]);
      all.magnitude += static_cast<double>(sizes[i / L::width][i % L::width]);
      all.squares += static_cast<double>(squares[i / L::width][i % L::width]);
      all.nonzero += static_cast<double>(nonzero[i / L::width][i % L::width]);
    }
  }
  return all;
}

// The sum of products, in double.
template <class Scalar>
double dot(const Scalar* a, const Scalar* b, int64_t count) {
  constexpr int64_t chains = 8;
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += sum_piece) {
    const int64_t end = std::min(begin + sum_piece, count);
    double sums[chains] = {};
    int64_t i = begin;
    for (; i + chains <= end; i += chains) {
      for (int64_t k = 0; k < chains; ++k) {
        sums[k] += static_cast<double>(a[i + k]) * static_cast<double>(b[i + k]);
      }
    }
    for (; i < end; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    for (const double sum : sums) total += sum;
  }
  return total;
}

}  // namespace tapconv::ops
