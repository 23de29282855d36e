// This file has the two micro-kernels of the weight gradient. Both add a tile of
//
//   sum over t of row[offset[pair] + t] * grad_output[out_channel][t]
//
// to a buffer of sums, where a pair is an (in_channel, tap). They differ in what the vector lanes are. Each call sums
// its own times from zero and then adds once, so long sums are made of short ones and lose little to rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

// Here lanes are output channels, and grad_output comes transposed, [time][lane]. Register budget: Pairs * Columns
// accumulators, Columns loaded vectors, one broadcast sample. Nothing is reduced across lanes, so short times cost
// nothing extra, and all vector loads are aligned. Loop order: time runs innermost, because one step needs only Columns
// + Pairs loads.
template <class Vector, int Pairs, int Columns>
[[gnu::noinline]] void channel_lane_tile(const typename Vector::Scalar* rows, const int32_t* offsets,
                                         const typename Vector::Scalar* gradient, ptrdiff_t gradient_stride,
                                         int64_t times, typename Vector::Scalar* sums, ptrdiff_t sums_stride) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  const Scalar* row[Pairs];
#pragma GCC unroll 16
  for (int i = 0; i < Pairs; ++i) row[i] = rows + offsets[i];
  Register sum[Pairs][Columns];
#pragma GCC unroll 16
  for (int i = 0; i < Pairs; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) sum[i][j] = Vector::zero();
  }
#pragma GCC unroll 2
  for (int64_t t = 0; t < times; ++t) {
    Register g[Columns];
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) g[j] = Vector::load(gradient + j * Vector::width);
#pragma GCC unroll 16
    for (int i = 0; i < Pairs; ++i) {
      const Register x = Vector::broadcast(row[i][t]);
#pragma GCC unroll 16
      for (int j = 0; j < Columns; ++j) sum[i][j] = Vector::multiply_add(x, g[j], sum[i][j]);
    }
    gradient += gradient_stride;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Pairs; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      Scalar* to = sums + i * sums_stride + j * Vector::width;
      Vector::store(to, Vector::add(Vector::load(to), sum[i][j]));
    }
  }
}

// Here lanes are times. This tile is for few output channels, which would leave channel lanes empty. grad_output is
// read where it lies, and sums are [pair][out_channel][lane], to be added up over their lanes when all times are in.
// Register budget: Rows * Pairs accumulators, Rows loaded gradient vectors, one loaded row vector. Loop order: time
// runs innermost, as above.
template <class Vector, int Rows, int Pairs>
[[gnu::noinline]] void time_lane_tile(const typename Vector::Scalar* rows, const int32_t* offsets,
                                      const typename Vector::Scalar* gradient, ptrdiff_t gradient_stride, int64_t times,
                                      typename Vector::Scalar* sums, ptrdiff_t sums_stride) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  const Scalar* row[Pairs];
#pragma GCC unroll 16
  for (int i = 0; i < Pairs; ++i) row[i] = rows + offsets[i];
  Register sum[Rows][Pairs];
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 16
    for (int i = 0; i < Pairs; ++i) sum[o][i] = Vector::zero();
  }
  int64_t t = 0;
  for (; t + Vector::width <= times; t += Vector::width) {
    Register g[Rows];
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) g[o] = Vector::load(gradient + o * gradient_stride + t);
#pragma GCC unroll 16
    for (int i = 0; i < Pairs; ++i) {
      const Register x = Vector::load(row[i] + t);
#pragma GCC unroll 16
      for (int o = 0; o < Rows; ++o) sum[o][i] = Vector::multiply_add(x, g[o], sum[o][i]);
    }
  }
  if (t < times) {
    const int left = static_cast<int>(times - t);
    Register g[Rows];
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) g[o] = Vector::load_partial(gradient + o * gradient_stride + t, left);
#pragma GCC unroll 16
    for (int i = 0; i < Pairs; ++i) {
      // Both factors are cut off, since a lane beyond the end may hold an infinity, and zero times infinity is not
      // zero.
      const Register x = Vector::load_partial(row[i] + t, left);
#pragma GCC unroll 16
      for (int o = 0; o < Rows; ++o) sum[o][i] = Vector::multiply_add(x, g[o], sum[o][i]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Pairs; ++i) {
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
      Scalar* to = sums + i * sums_stride + o * Vector::width;
      Vector::store(to, Vector::add(Vector::load(to), sum[o][i]));
    }
  }
}

template <class Scalar>
using GradWeightTile = void (*)(const Scalar* rows, const int32_t* offsets, const Scalar* gradient,
                                ptrdiff_t gradient_stride, int64_t times, Scalar* sums, ptrdiff_t sums_stride);

template <class Vector, int Columns, int... Pairs>
GradWeightTile<typename Vector::Scalar> channel_lane_tile_of_pairs(int pairs, std::integer_sequence<int, Pairs...>) {
  static constexpr GradWeightTile<typename Vector::Scalar> tiles[] = {
      &channel_lane_tile<Vector, Pairs + 1, Columns>...};
  return tiles[pairs - 1];
}

template <class Isa, class Vector, int Columns = 1>
GradWeightTile<typename Vector::Scalar> channel_lane_tile_of(int columns, int pairs) {
  constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);
  if constexpr (Columns < tiles.columns) {
    if (columns != Columns) return channel_lane_tile_of<Isa, Vector, Columns + 1>(columns, pairs);
  }
  return channel_lane_tile_of_pairs<Vector, Columns>(
      pairs, std::make_integer_sequence<int, tiles.pairs_of_columns[Columns]>());
}

template <class Vector, int Rows, int... Pairs>
GradWeightTile<typename Vector::Scalar> time_lane_tile_of_pairs(int pairs, std::integer_sequence<int, Pairs...>) {
  static constexpr GradWeightTile<typename Vector::Scalar> tiles[] = {&time_lane_tile<Vector, Rows, Pairs + 1>...};
  return tiles[pairs - 1];
}

template <class Isa, class Vector, int Rows = 1>
GradWeightTile<typename Vector::Scalar> time_lane_tile_of(int rows, int pairs) {
  constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);
  if constexpr (Rows < tiles.rows) {
    if (rows != Rows) return time_lane_tile_of<Isa, Vector, Rows + 1>(rows, pairs);
  }
  return time_lane_tile_of_pairs<Vector, Rows>(pairs, std::make_integer_sequence<int, tiles.pairs_of_rows[Rows]>());
}

}  // namespace
}  // namespace tapconv::kernels
