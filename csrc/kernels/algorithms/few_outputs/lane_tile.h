// The register tile of sums that have weights in the vector lanes: some rows (times) by some vectors of columns
// (outputs). It is the tile of the direct sum (direct/register_tile.h) with the roles exchanged: a weight vector is
// loaded once for all rows, and a sample broadcast to all columns.
//
// Register budget: rows * columns accumulators, `columns` weight vectors and one broadcast sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

template <class Scalar, class Weight, class Sum>
struct LaneTileCall {
  const Scalar* rows;      // the first row's samples lie at the offsets from here, the next row's one behind
  const int32_t* offsets;  // one for each step
  int64_t steps;
  const Weight* weight;
  ptrdiff_t step_distance;    // between the weights of neighbouring steps
  ptrdiff_t column_distance;  // between the weights of neighbouring vectors
  ptrdiff_t ahead;            // fetched while a vector is used: hardware prefetchers stop at the end of a page
  Sum* sums;                  // [row][column][lane]
  ptrdiff_t sums_stride;      // between rows
  bool accumulate;            // add to what is there, which has to be of the compute type
};

template <class Vector, class Weight, class Sum, int Rows, int Columns>
[[gnu::noinline]] void lane_tile(const LaneTileCall<typename Vector::Scalar, Weight, Sum>& call) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  Register sum[Rows][Columns];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) sum[r][j] = Vector::zero();
  }
  const Weight* weight = call.weight;
  for (int64_t step = 0; step < call.steps; ++step, weight += call.step_distance) {
    const Scalar* const row = call.rows + call.offsets[step];
    Register w[Columns];
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      w[j] = Vector::load(weight + j * call.column_distance);
      __builtin_prefetch(weight + j * call.column_distance + call.ahead);
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Register x = Vector::broadcast(row[r]);
#pragma GCC unroll 16
      for (int j = 0; j < Columns; ++j) sum[r][j] = Vector::multiply_add(x, w[j], sum[r][j]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    Sum* const to = call.sums + r * call.sums_stride;
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      if constexpr (std::is_same_v<Sum, Scalar>) {
        const Register before = call.accumulate ? Vector::load(to + j * width) : Vector::zero();
        Vector::store(to + j * width, Vector::add(before, sum[r][j]));
      } else {
        Vector::store(to + j * width, sum[r][j]);
      }
    }
  }
}

template <class Vector, class Weight, class Sum>
using LaneTileFunction = void (*)(const LaneTileCall<typename Vector::Scalar, Weight, Sum>&);

template <class Vector, class Weight, class Sum, int Rows, int... Columns>
LaneTileFunction<Vector, Weight, Sum> lane_tile_of_columns(int columns, std::integer_sequence<int, Columns...>) {
  static constexpr LaneTileFunction<Vector, Weight, Sum> tiles[] = {
      &lane_tile<Vector, Weight, Sum, Rows, Columns + 1>...};
  return tiles[columns - 1];
}

// Rows and columns from one on, up to what register_tiles allows.
template <class Isa, class Vector, class Weight, class Sum, int Rows = 1>
LaneTileFunction<Vector, Weight, Sum> lane_tile_of(int rows, int columns) {
  constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
  if constexpr (Rows < tiles.rows) {
    if (rows != Rows) return lane_tile_of<Isa, Vector, Weight, Sum, Rows + 1>(rows, columns);
  }
  return lane_tile_of_columns<Vector, Weight, Sum, Rows>(columns,
                                                         std::make_integer_sequence<int, tiles.columns[Rows]>());
}

// Divides `columns` into tiles of vectors beside `rows` rows and calls body(first column, vectors, place of the sums)
// for each. A last vector that is not whole begins earlier, among the columns of the one before it; its sums have the
// place behind all others.
template <class Isa, class Vector, class Body>
void for_each_column_tile(int64_t columns, int rows, const Body& body) {
  constexpr int width = Vector::width;
  constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
  const int64_t vectors = columns / width;
  const int64_t count = ceil_div(vectors, tiles.columns[rows]);
  for (int64_t tile = 0; tile < count; ++tile) {
    const Share part = share_of(tile, count, vectors);
    body(part.first * width, part.size, part.first * width);
  }
  if (columns % width != 0) body(columns - width, 1, vectors * width);
}

}  // namespace
}  // namespace tapconv::kernels
