// The direct sum by matrix products (matrix_tile.h), where the instruction set has them.
//
// A row holds two samples in each lane, so that what a step multiplies is a column of some rows: two input channels,
// whose taps read the same row at different offsets, or, where a few channels would leave most of a tile empty, two
// (channel, tap) pairs, for each of which samples are copied once more (plan.h, MatrixSteps).
//
// Loop order of a task: all rows of a block of times are copied first, and stay in L2; then output channels outermost,
// as many as a tile has, steps next, so many that their weights stay in L1, and times innermost.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../kernel_table.h"
#include "../rows.h"
#include "matrix_tile.h"
#include "matrix_weights.h"
#include "write_output.h"

namespace tapconv::kernels {
namespace {

// A vector of equal numbers for each output channel, as a tile of sums begins.
inline void prepare_matrix_bias(const Plan& plan, const ForwardOperands& operands) {
  const BFloat16* const from = static_cast<const BFloat16*>(operands.bias);
  float* to = reinterpret_cast<float*>(static_cast<char*>(operands.workspace) + plan.bias_at);
  const int64_t group_out = plan.problem.out_channels / plan.problem.groups;
  for (int64_t group = 0; group < plan.problem.groups; ++group) {
    for (int64_t o = 0; o < plan.tile_row_count * plan.tile_rows; ++o, to += matrix_tile_size) {
      const float value = o < group_out ? widen(from[group * group_out + o]) : 0.0f;
      for (int i = 0; i < matrix_tile_size; ++i) to[i] = value;
    }
  }
}

template <class Isa, class Matrix>
class MatrixRunner {
  using Tiles = typename Matrix::Tiles;
  using HalfWords = typename Matrix::HalfWords;
  using Vector = typename Isa::template VectorOf<float>::type;

 public:
  MatrixRunner(const Plan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        steps_(plan.matrix),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = workspace + plan.slots_at + static_cast<size_t>(slot) * plan.slot_bytes;
    offsets_ = reinterpret_cast<const int32_t*>(workspace + plan.offset_table_at);
    bias_ = operands.bias == nullptr ? nullptr : reinterpret_cast<const float*>(workspace + plan.bias_at);
    rows_ = reinterpret_cast<uint32_t*>(own);
    samples_ = reinterpret_cast<BFloat16*>(own + steps_.slot_samples_at);
    sums_ = reinterpret_cast<float*>(own + plan.slot_partial_at);
    Tiles::configure(plan.tile_rows, static_cast<int>(steps_.depth));
  }
  ~MatrixRunner() { Tiles::release(); }
  MatrixRunner(const MatrixRunner&) = delete;
  MatrixRunner& operator=(const MatrixRunner&) = delete;

  void run(int64_t task) {
    const Problem& p = plan_.problem;
    const int64_t time_block = task % plan_.time_block_count;
    task /= plan_.time_block_count;
    const int64_t out_block = task % plan_.out_block_count;
    task /= plan_.out_block_count;
    const int64_t group = task % p.groups;
    const int64_t sample = task / p.groups;
    const int64_t begin = time_block * plan_.time_block;
    const int64_t count = smaller(plan_.time_block, (plan_.folded ? p.batch : 1) * p.output_length - begin);
    if (steps_.steps > 0) {
      copy_all_rows(static_cast<const BFloat16*>(operands_.input) + sample * p.input_strides.batch +
                      group * group_in_ * p.input_strides.channel,
                  begin, count);
    }
    const int64_t last_tile = smaller((out_block + 1) * plan_.out_block, plan_.tile_row_count);
    for (int64_t tile = out_block * plan_.out_block; tile < last_tile; tile += 2) {
      const bool two = tile + 1 < last_tile;
      add_up(group * plan_.tile_row_count + tile, two, count);
      const int64_t first_out = tile * plan_.tile_rows;
      const int64_t outs = smaller((two ? 2 : 1) * plan_.tile_rows, group_out_ - first_out);
      const FinishedSums<float> sums{sums_, plan_.partial_stride, group * group_out_ + first_out, outs, begin, count};
      write_output<Vector, BFloat16>(plan_, sums, sample, operands_.output);
    }
  }

 private:
  void copy_all_rows(const BFloat16* input, int64_t time, int64_t count) {
    const int64_t length = plan_.rows.row_length;
    BFloat16* const second = samples_ + length;
    uint32_t* to = rows_;
    for (int64_t c = 0; c < group_in_; c += 2, input += 2 * plan_.problem.input_strides.channel) {
      const bool two = c + 1 < group_in_;
      copy_rows<HalfWords>(plan_, input, 1, time, count, samples_);
      if (two) {
        copy_rows<HalfWords>(plan_, input + plan_.problem.input_strides.channel, 1, time, count, second);
      } else if (!steps_.rows_of_taps || plan_.problem.kernel_size % 2 != 0) {
        fill_zeros<HalfWords>(second, steps_.rows_of_taps ? plan_.rows.segment_length : length);
      }
      to = steps_.rows_of_taps ? pair_segments((two ? 2 : 1) * plan_.problem.kernel_size, to) : pair_channels(to);
    }
    // The last step's rows that the problem lacks: zeros, since zero weights do not keep a NaN from the sums.
    for (uint32_t* const end = rows_ + steps_.rows * steps_.row_distance; to < end; ++to) *to = 0;
  }

  uint32_t* pair_channels(uint32_t* to) {
    const int64_t length = plan_.rows.row_length;
    return pair(samples_, samples_ + length, length, to);
  }

  // The segments of one channel and those of the next one are one sequence.
  uint32_t* pair_segments(int64_t segments, uint32_t* to) {
    const int64_t length = plan_.rows.segment_length;
    for (int64_t s = 0; s < segments; s += 2) {
      to = pair(samples_ + s * length, samples_ + (s + 1) * length, length, to);
    }
    return to;
  }

  static uint32_t* pair(const BFloat16* low, const BFloat16* high, int64_t length, uint32_t* to) {
    for (int64_t i = 0; i < length; i += 16) HalfWords::store_pairs(to + i, low + i, high + i);
    return to + length;
  }

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  // All sums of one tile or two of output channels.
  void add_up(int64_t tile, bool two, int64_t count) {
    const int64_t time_tiles = (count + matrix_tile_size - 1) / matrix_tile_size;
    MatrixCall call;
    call.row_bytes = steps_.row_distance * static_cast<int64_t>(sizeof(uint32_t));
    call.weight_bytes = steps_.steps * matrix_tile_bytes;
    call.bias_channels = plan_.tile_rows;
    call.sums_stride = plan_.partial_stride;
    call.bias = bias_ == nullptr ? nullptr : bias_ + tile * plan_.tile_rows * matrix_tile_size;
    for (int64_t step = 0; step == 0 || step < steps_.steps; step += steps_.steps_at_a_time) {
      call.weight = static_cast<const char*>(operands_.packed_weight) + tile * call.weight_bytes +
                    step * matrix_tile_bytes;
      call.offsets = offsets_ + step;
      call.steps = smaller(steps_.steps_at_a_time, steps_.steps - step);
      call.accumulate = step > 0;
      for (int64_t time = 0; time < time_tiles; time += 2) {
        call.rows = rows_ + time * matrix_tile_size;
        call.sums = sums_ + time * matrix_tile_size;
        if (time + 1 < time_tiles) {
          (two ? matrix_tile<Tiles, 2, 2> : matrix_tile<Tiles, 1, 2>)(call);
        } else {
          (two ? matrix_tile<Tiles, 2, 1> : matrix_tile<Tiles, 1, 1>)(call);
        }
      }
    }
  }

  const Plan& plan_;
  const MatrixSteps& steps_;
  const ForwardOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const int32_t* offsets_;
  const float* bias_;
  uint32_t* rows_;     // [pair][time]
  BFloat16* samples_;  // of two channels
  float* sums_;        // of two output tiles
};

template <class Isa, class Matrix>
void run_matrix_tasks(const Plan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task,
                      int slot) {
  MatrixRunner<Isa, Matrix> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Isa, class Matrix>
constexpr ForwardKernels matrix_kernels() {
  return {&prepare_matrix_bias, &pack_matrix_tiles<typename Matrix::HalfWords>, &run_matrix_tasks<Isa, Matrix>};
}

}  // namespace
}  // namespace tapconv::kernels
