// The micro-kernel of the direct sum: a register tile of some output channels times some vectors of output time.
//
//   output[o][t .. t + Columns vectors) += sum over j of weight[j][o] * row[offset[j] + t ..]
//
// where j runs over all (channel, tap) pairs of a block. Register budget: Rows * Columns accumulators, Columns loaded
// row vectors and one broadcast weight; instruction_sets/register_tiles.h states how many columns fit for each number
// of rows. Each step loads Columns + Rows times and multiplies Rows * Columns times, so a full tile is bound by the
// multipliers, not by the loads. Loop order: the pairs are one flat list, so that kernels of one tap run as smoothly as
// long ones. Each call sums its own pairs from zero, in plain order in one accumulator for each output, and adds once
// to what is there. So long sums are made of short ones and lose little to rounding, and every tile shape gives the
// same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

template <class Scalar>
struct TileCall {
  const Scalar* rows;      // row elements of the tile's first output
  const int32_t* offsets;  // one for each (channel, tap) pair
  int64_t pair_count;
  const Scalar* weight;     // packed [pair][tile row], or as the user has it, [tile row][pair]
  ptrdiff_t weight_stride;  // between the pairs of packed weights, between the tile rows of others
  const Scalar* bias;       // one for each tile row, or null
  Scalar* output;           // [tile row][time]
  ptrdiff_t output_stride;  // between tile rows
  int last_count;           // outputs in the last vector, 1 to the vector's width
  bool accumulate;          // add to what the output holds, instead of starting from the bias
};

template <class Vector, bool Packed, int Rows, int Columns>
[[gnu::noinline]] void register_tile(const TileCall<typename Vector::Scalar>& call) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  const bool whole = call.last_count == width;
  Register sum[Rows][Columns];
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
    const Register start = call.bias && !call.accumulate ? Vector::broadcast(call.bias[o]) : Vector::zero();
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) sum[o][j] = start;
  }

  const Scalar* weight[Packed ? 1 : Rows];
#pragma GCC unroll 16
  for (int o = 0; o < (Packed ? 1 : Rows); ++o) weight[o] = call.weight + o * call.weight_stride;
#pragma GCC unroll 4
  for (int64_t pair = 0; pair < call.pair_count; ++pair) {
    const Scalar* row = call.rows + call.offsets[pair];
    Register x[Columns];
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) x[j] = Vector::load(row + j * width);
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
      const Register w = Vector::broadcast(Packed ? weight[0][o] : weight[o][pair]);
#pragma GCC unroll 16
      for (int j = 0; j < Columns; ++j) sum[o][j] = Vector::multiply_add(x[j], w, sum[o][j]);
    }
    if constexpr (Packed) weight[0] += call.weight_stride;
  }

  if (call.accumulate) {
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
      const Scalar* from = call.output + o * call.output_stride;
#pragma GCC unroll 16
      for (int j = 0; j < Columns - 1; ++j) sum[o][j] = Vector::add(Vector::load(from + j * width), sum[o][j]);
      from += (Columns - 1) * width;
      sum[o][Columns - 1] =
          Vector::add(whole ? Vector::load(from) : Vector::load_partial(from, call.last_count), sum[o][Columns - 1]);
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
    Scalar* to = call.output + o * call.output_stride;
#pragma GCC unroll 16
    for (int j = 0; j < Columns - 1; ++j) Vector::store(to + j * width, sum[o][j]);
    to += (Columns - 1) * width;
    if (whole) {
      Vector::store(to, sum[o][Columns - 1]);
    } else {
      Vector::store_partial(to, sum[o][Columns - 1], call.last_count);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
