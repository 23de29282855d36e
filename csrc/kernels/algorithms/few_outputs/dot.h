// A handful of outputs, as in streaming: each output is one long dot product over (in_channel, tap). The samples that
// an output position reads are gathered into a column once, and every weight is read exactly once for up to four
// columns, where it lies, widened on the way: with so few outputs reading the weights is all the work there is.
//
// Register budget: Rows * Columns accumulators, Rows weight vectors, one column vector. Lanes run over (channel, tap),
// so each output has one sum per lane; they are added up at the end in an order that depends on nothing but the length.
#pragma once

#include <utility>

#include "column.h"
#include "dot_plan.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

template <class Vector, class Storage, int Rows, int Columns>
[[gnu::noinline]] void dot_tile(const Storage* weight, int64_t weight_stride, const typename Vector::Scalar* columns,
                                int64_t column_stride, int64_t length, typename Vector::Scalar (*dots)[dot_columns]) {
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  Register sum[Rows][Columns];
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) sum[o][j] = Vector::zero();
  }
  int64_t i = 0;
  for (; i + width <= length; i += width) {
    Register w[Rows];
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) w[o] = Vector::load(weight + o * weight_stride + i);
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      const Register x = Vector::load(columns + j * column_stride + i);
#pragma GCC unroll 16
      for (int o = 0; o < Rows; ++o) sum[o][j] = Vector::multiply_add(x, w[o], sum[o][j]);
    }
  }
  if (i < length) {
    const int left = static_cast<int>(length - i);
    Register w[Rows];
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) w[o] = Vector::load_partial(weight + o * weight_stride + i, left);
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      const Register x = Vector::load_partial(columns + j * column_stride + i, left);
#pragma GCC unroll 16
      for (int o = 0; o < Rows; ++o) sum[o][j] = Vector::multiply_add(x, w[o], sum[o][j]);
    }
  }
  if constexpr (Columns == dot_columns && Rows * Columns % width == 0) {
    // A vector of sums at a time, in the order of Vector::sum: halves added to halves.
#pragma GCC unroll 16
    for (int first = 0; first < Rows * Columns; first += width) {
      Register lanes[width];
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) lanes[i] = sum[(first + i) / Columns][(first + i) % Columns];
      Vector::transpose(lanes);
#pragma GCC unroll 4
      for (int half = width / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < half; ++i) lanes[i] = Vector::add(lanes[i], lanes[i + half]);
      }
      Vector::store(&dots[0][0] + first, lanes[0]);
    }
  } else {
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 16
      for (int j = 0; j < Columns; ++j) dots[o][j] = Vector::sum(sum[o][j]);
    }
  }
}

template <class Vector, class Storage>
using DotFunction = void (*)(const Storage*, int64_t, const typename Vector::Scalar*, int64_t, int64_t,
                             typename Vector::Scalar (*)[dot_columns]);

template <class Vector, class Storage, int Rows>
DotFunction<Vector, Storage> dot_tile_of(int columns) {
  static constexpr DotFunction<Vector, Storage> tiles[dot_columns] = {
      &dot_tile<Vector, Storage, Rows, 1>, &dot_tile<Vector, Storage, Rows, 2>, &dot_tile<Vector, Storage, Rows, 3>,
      &dot_tile<Vector, Storage, Rows, 4>};
  return tiles[columns - 1];
}

// A task is one group, `time_block` output positions (counted over all samples) and `out_block` output channels.
template <class Isa, class Storage>
void run_dot(const DotPlan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task, int slot) {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  constexpr int rows = dot_rows(Isa::register_count);
  const Problem& p = plan.problem;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t length = p.in_channels / p.groups * p.kernel_size;
  const int64_t positions = p.batch * p.output_length;
  Scalar* const columns = reinterpret_cast<Scalar*>(slot_memory(plan, operands.workspace, slot));
  const int64_t column_stride = plan.column_stride;
  int64_t gathered = -1;  // which (group, block of positions) the columns hold
  for (int64_t task = first_task; task < last_task; ++task) {
    const int64_t out_block = task % plan.out_block_count;
    const int64_t position_block = task / plan.out_block_count;
    const int64_t group = position_block / plan.column_block_count;
    const int64_t first = position_block % plan.column_block_count * plan.column_block;
    const int64_t count = positions - first < plan.column_block ? positions - first : plan.column_block;
    const OutputPosition first_position{first / p.output_length, first % p.output_length};
    if (gathered != position_block) {
      gathered = position_block;
      OutputPosition position = first_position;
      for (int64_t j = 0; j < count; ++j, position.advance(p.output_length)) {
        const Storage* input = static_cast<const Storage*>(operands.input) + position.sample * p.input_strides.batch +
                               group * (p.in_channels / p.groups) * p.input_strides.channel;
        gather_column<Vector>(p, input, p.in_channels / p.groups, position.time, columns + j * column_stride);
      }
    }
    const int64_t last_out =
        (out_block + 1) * plan.out_block < group_out ? (out_block + 1) * plan.out_block : group_out;
    for (int64_t out = out_block * plan.out_block; out < last_out;) {
      const int rows_here = last_out - out >= rows ? rows : 1;
      const Storage* weight = static_cast<const Storage*>(operands.weight) + group * plan.variant.weight_group_stride +
                              out * p.weight_strides.out_channel;
      OutputPosition position = first_position;
      for (int64_t j = 0; j < count; j += dot_columns) {
        const int columns_here = count - j < dot_columns ? static_cast<int>(count - j) : dot_columns;
        Scalar dots[rows][dot_columns];
        const auto tile = rows_here == rows ? dot_tile_of<Vector, Storage, rows>(columns_here)
                                            : dot_tile_of<Vector, Storage, 1>(columns_here);
        tile(weight, p.weight_strides.out_channel, columns + j * column_stride, column_stride, length, dots);
        Storage* to[dot_columns];
        for (int i = 0; i < columns_here; ++i, position.advance(p.output_length)) {
          to[i] = static_cast<Storage*>(operands.output) + position.sample * p.output_strides.batch +
                  position.time * p.output_strides.time;
        }
        for (int o = 0; o < rows_here; ++o) {
          const int64_t channel = group * group_out + out + o;
          const Scalar start = operands.bias ? widen(static_cast<const Storage*>(operands.bias)[channel]) : Scalar(0);
          for (int i = 0; i < columns_here; ++i) {
            narrow(start + dots[o][i], to[i] + channel * p.output_strides.channel);
          }
        }
      }
      out += rows_here;
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
