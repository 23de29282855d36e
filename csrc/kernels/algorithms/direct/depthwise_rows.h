// The direct sum of short depthwise filters is bound by memory, so rows are read where they lie, each output is written
// once, and nothing else is touched. Only outputs that reach into the padding are summed from a copied piece of the
// row.
//
// Register budget of the micro-kernel: as many weights as taps (8 at the most), 4 sums and the bias, 13 of 16. Loop
// order: along the row, four vectors of outputs at a time, whose sums are independent and so hide the latency of
// multiply-add; taps within. The loads of all taps but the first cross cache lines, which for so few of them is still
// faster than memory. Input and output are fetched ahead: of an output of 33 MB, waiting for the lines to write took a
// third of the time. Each output is the bias plus its taps in plain order, which is the order of the micro-kernel in
// register_tile.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/core/direct_sum.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

// The hardware's own prefetching stops at the end of each page, and rows of a tensor follow one another, so a page is
// fetched ahead.
constexpr int64_t fetch_ahead_bytes = 4096;

// Sums `count` outputs that read `row` from its first element on.
template <class Vector, class Row, class Output>
struct RowCall {
  using Scalar = typename Vector::Scalar;
  const Row* row;
  ptrdiff_t dilation;
  const Scalar* weight;  // [tap]
  Scalar bias;
  Output* output;
  int64_t count;
};

template <class Vector, class Row, class Output, int Taps>
[[gnu::noinline]] void sum_row(const RowCall<Vector, Row, Output>& call) {
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  constexpr int columns = 4;
  const ptrdiff_t dilation = call.dilation;
  const int64_t count = call.count;
  const Register bias = Vector::broadcast(call.bias);
  Register weight[Taps];
#pragma GCC unroll 8
  for (int k = 0; k < Taps; ++k) weight[k] = Vector::broadcast(call.weight[k]);

  int64_t t = 0;
  for (; t + columns * width <= count; t += columns * width) {
    Register sum[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) {
      __builtin_prefetch(reinterpret_cast<const char*>(call.row + t + j * width) + fetch_ahead_bytes, 0);
      __builtin_prefetch(reinterpret_cast<const char*>(call.output + t + j * width) + fetch_ahead_bytes, 1);
    }
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[j] = bias;
#pragma GCC unroll 8
    for (int k = 0; k < Taps; ++k) {
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) {
        sum[j] = Vector::multiply_add(Vector::load(call.row + t + j * width + k * dilation), weight[k], sum[j]);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) Vector::store(call.output + t + j * width, sum[j]);
  }
  for (; t < count; t += width) {
    const int left = count - t < width ? static_cast<int>(count - t) : width;
    Register sum = bias;
#pragma GCC unroll 8
    for (int k = 0; k < Taps; ++k) {
      sum = Vector::multiply_add(Vector::load_partial(call.row + t + k * dilation, left), weight[k], sum);
    }
    Vector::store_partial(call.output + t, sum, left);
  }
}

template <class Vector, class Row, class Output, int... Taps>
auto sum_row_of(int64_t taps, std::integer_sequence<int, Taps...>) {
  using RowFunction = void (*)(const RowCall<Vector, Row, Output>&);
  static constexpr RowFunction functions[] = {&sum_row<Vector, Row, Output, Taps + 1>...};
  return functions[taps - 1];
}

// Storage is the type of the input. Output is that of the output, which is the same or the compute type.
template <class Vector, class Storage, class Output>
class DepthwiseRows {
  using Scalar = typename Vector::Scalar;

 public:
  DepthwiseRows(const DirectPlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        operands_(operands),
        sum_input_(sum_row_of<Vector, Storage, Output>(plan.problem.kernel_size, all_taps())),
        sum_copy_(sum_row_of<Vector, Scalar, Output>(plan.problem.kernel_size, all_taps())) {
    char* const workspace = static_cast<char*>(operands.workspace);
    rows_ = reinterpret_cast<Scalar*>(slot_memory(plan, workspace, slot));
    weight_ = static_cast<const Scalar*>(plan.pack_weight ? operands.packed_weight : operands.weight);
    weight_stride_ = plan.pack_weight ? plan.problem.kernel_size : plan.variant.weight_group_stride;
    bias_ = operands.bias == nullptr ? nullptr : reinterpret_cast<const Scalar*>(workspace + plan.bias_at);
  }

  void run(int64_t task) {
    const Problem& p = plan_.problem;
    const int64_t time_block = task % plan_.time_block_count;
    task /= plan_.time_block_count;
    const int64_t channel = task % p.groups;
    const int64_t sample = task / p.groups;
    const Storage* const input = static_cast<const Storage*>(operands_.input) + sample * p.input_strides.batch +
                                 channel * p.input_strides.channel;
    Output* const output =
        static_cast<Output*>(operands_.output) + sample * p.output_strides.batch + channel * p.output_strides.channel;
    const Scalar* const weight = weight_ + channel * weight_stride_;
    const Scalar bias = bias_ == nullptr ? Scalar(0) : bias_[channel];

    // Outputs [inner, outer) read real samples only; those before are whole vectors, for the sake of alignment.
    const int64_t begin = time_block * plan_.time_block;
    const int64_t end = min(begin + plan_.time_block, p.output_length);
    const int64_t reach = (p.kernel_size - 1) * p.dilation - p.padding_left;
    const int64_t outer = max(begin, min(end, p.input_length - reach));
    const int64_t padded = rounded_up(max(p.padding_left, 0), Vector::width);
    const int64_t inner = min(outer, max(begin, padded));

    sum_border(input, weight, bias, output, begin, inner);
    if (inner < outer) {
      sum_input_({input + inner - p.padding_left, p.dilation, weight, bias, output + inner, outer - inner});
    }
    sum_border(input, weight, bias, output, outer, end);
  }

 private:
  static auto all_taps() { return std::make_integer_sequence<int, max_depthwise_row_taps>(); }

  void sum_border(const Storage* input, const Scalar* weight, Scalar bias, Output* output, int64_t begin, int64_t end) {
    if (begin >= end) return;
    const Problem& p = plan_.problem;
    const int64_t span = end - begin + (p.kernel_size - 1) * p.dilation;
    copy_segment<Vector>(p, input, begin - p.padding_left, span, rows_);
    sum_copy_({rows_, p.dilation, weight, bias, output + begin, end - begin});
  }

  const DirectPlan& plan_;
  const ForwardOperands& operands_;
  void (*const sum_input_)(const RowCall<Vector, Storage, Output>&);
  void (*const sum_copy_)(const RowCall<Vector, Scalar, Output>&);
  Scalar* rows_;
  const Scalar* weight_;
  int64_t weight_stride_;
  const Scalar* bias_;
};

template <class Vector, class Storage, class Output>
void run_depthwise_rows(const DirectPlan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task,
                        int slot) {
  DepthwiseRows<Vector, Storage, Output> rows(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) rows.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
