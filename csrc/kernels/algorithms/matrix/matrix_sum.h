// The direct sum is made of matrix products (matrix_tile.h), where the instruction set has them.
//
// Loop order of a task: all rows of a block of times are copied first, and stay in L2. Output channels are outermost,
// as many as two tiles have. Steps come next, so many that their weights stay in L1, and times are innermost.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/direct_sum.h"
#include "kernels/core/forward_task.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/rows/write_output.h"
#include "matrix_rows.h"
#include "matrix_tile.h"
#include "matrix_weights.h"

namespace tapconv::kernels {
namespace {

// Writes a vector of equal numbers for each output channel, as a tile of sums begins.
inline void prepare_matrix_bias(const DirectPlan& plan, const ForwardOperands& operands) {
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
  MatrixRunner(const DirectPlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        steps_(plan.matrix),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = slot_memory(plan, workspace, slot);
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

  void run(int64_t number) {
    const Problem& p = plan_.problem;
    const ForwardTask task(plan_, number);
    if (steps_.steps > 0) {
      const MatrixRows<HalfWords> rows(plan_, rows_, samples_);
      rows.copy(static_cast<const BFloat16*>(operands_.input) + task.sample * p.input_strides.batch +
                    task.group * group_in_ * p.input_strides.channel,
                task.begin, task.count);
    }
    const int64_t last_tile = min((task.out_block + 1) * plan_.out_block, plan_.tile_row_count);
    for (int64_t tile = task.out_block * plan_.out_block; tile < last_tile; tile += 2) {
      const bool two = tile + 1 < last_tile;
      add_up(task.group * plan_.tile_row_count + tile, two, task.count);
      const int64_t first_out = tile * plan_.tile_rows;
      const int64_t outs = min((two ? 2 : 1) * plan_.tile_rows, group_out_ - first_out);
      const FinishedSums<float> sums{sums_, plan_.partial_stride, task.group * group_out_ + first_out,
                                     outs,  task.begin,           task.count};
      write_output<Vector, BFloat16>(plan_, sums, task.sample, operands_.output);
    }
  }

 private:
  // Takes all sums of one tile or two of output channels.
  void add_up(int64_t tile, bool two, int64_t count) {
    const int64_t time_tiles = ceil_div(count, matrix_tile_size);
    MatrixCall call;
    call.row_bytes = steps_.row_distance * static_cast<int64_t>(sizeof(uint32_t));
    call.weight_bytes = steps_.steps * matrix_tile_bytes;
    call.bias_channels = plan_.tile_rows;
    call.sums_stride = plan_.partial_stride;
    call.bias = bias_ == nullptr ? nullptr : bias_ + tile * plan_.tile_rows * matrix_tile_size;
    for (int64_t step = 0; step == 0 || step < steps_.steps; step += steps_.steps_at_a_time) {
      call.weight =
          static_cast<const char*>(operands_.packed_weight) + tile * call.weight_bytes + step * matrix_tile_bytes;
      call.offsets = offsets_ + step;
      call.steps = min(steps_.steps_at_a_time, steps_.steps - step);
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

  const DirectPlan& plan_;
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
void run_matrix_tasks(const DirectPlan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task,
                      int slot) {
  MatrixRunner<Isa, Matrix> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Isa, class Matrix>
constexpr DirectKernels matrix_kernels() {
  return {&prepare_matrix_bias, &pack_matrix_tiles<typename Matrix::HalfWords>, &run_matrix_tasks<Isa, Matrix>};
}

}  // namespace
}  // namespace tapconv::kernels
