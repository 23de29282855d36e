// This is the input gradient of a handful of outputs, as in streaming and in deep layers of U-Nets.
//
// The weights of an output channel are one row of (in_channel, tap) columns, side by side. Each output adds its
// gradient times that row to its own row of sums, so lanes are full whatever the length, and all weights are read once,
// where they lie and in their order. At the end the columns of a channel are added to the samples that its taps read
// (other libraries call this col2im). Weights outnumber everything else here, and reading them is most of the time.
//
// Loop order: blocks of output channels (as many as there are streams through memory) are outermost, then columns, then
// outputs. So the weights of a register tile come from the first-level cache for all but the first outputs, and sums
// are read and written once for each block. The register budget is that of lane_tile.h.
//
// In other ways of computing the gradient, a weight that is infinite or NaN makes a NaN of padded outputs. Here no
// output is padded, so where sums are not finite, the gradient is left to those ways.
#pragma once

#include "column_task.h"
#include "kernels/algorithms/few_outputs/lane_tile.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/value_range.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class GradInputColumns : ColumnTasks {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;

 public:
  GradInputColumns(const ColumnPlan& plan, const ForwardOperands& operands, int slot)
      : ColumnTasks(plan, operands.workspace, slot),
        operands_(operands),
        samples_(reinterpret_cast<Scalar*>(own_)),
        sums_(reinterpret_cast<Scalar*>(own_ + plan.slot_sums_at)),
        span_(reinterpret_cast<Scalar*>(own_ + plan.slot_span_at)) {}

  // Computes some input channels of one group.
  void run(int64_t task) {
    const int64_t group = group_of(task);
    const Share channels = channels_of(task);
    const int64_t columns = channels.size * plan_.problem.kernel_size;
    for (int64_t o = 0; o < group_out_; o += plan_.out_block) {
      const int64_t count = min(group_out_ - o, plan_.out_block);
      gather_samples(group * group_out_ + o, count);
      sweep(group * group_out_ + o, count, channels.first, columns, o > 0);
    }
    if (columns % width != 0) join_last_columns(columns);
    for (int64_t i = 0; i < outputs_; ++i) {
      if (!is_ordinary<Vector>(sums_ + i * plan_.column_stride, columns)) {
        return raise_flag(static_cast<char*>(operands_.workspace) + plan_.flag_at);
      }
    }
    for (int64_t c = 0; c < channels.size; ++c) write(group * group_in_ + channels.first + c, c);
  }

 private:
  // Samples are gathered as [out_channel][output].
  void gather_samples(int64_t out_channel, int64_t count) {
    const Problem& p = plan_.problem;
    const ActivationStrides& strides = p.output_strides;
    Scalar* to = samples_;
    for (int64_t o = 0; o < count; ++o) {
      const Storage* const channel = static_cast<const Storage*>(operands_.input) + (out_channel + o) * strides.channel;
      for (int64_t n = 0; n < p.batch; ++n) {
        for (int64_t t = 0; t < p.output_length; ++t) *to++ = widen(channel[n * strides.batch + t * strides.time]);
      }
    }
  }

  // Adds some output channels to all columns of the task.
  void sweep(int64_t out_channel, int64_t count, int64_t in_channel, int64_t columns, bool accumulate) {
    const Problem& p = plan_.problem;
    LaneTileCall<Scalar, Storage, Scalar> call;
    call.offsets = offsets_;
    call.steps = count;
    call.step_distance = p.weight_strides.out_channel;
    call.column_distance = width;
    call.sums_stride = plan_.column_stride;
    call.accumulate = accumulate;
    const Storage* const weight = static_cast<const Storage*>(operands_.weight) +
                                  out_channel * p.weight_strides.out_channel + in_channel * p.kernel_size;
    for_each_column_tile<Isa, Vector>(columns, plan_.tile_rows, [&](int64_t column, int vectors, int64_t sums) {
      call.weight = weight + column;
      call.ahead = vectors * width;
      for (int64_t tile = 0; tile < plan_.tile_row_count; ++tile) {
        const Share outputs = share_of(tile, plan_.tile_row_count, outputs_);
        call.rows = samples_ + outputs.first;
        call.sums = sums_ + sums + outputs.first * call.sums_stride;
        lane_tile_of<Isa, Vector, Storage, Scalar>(outputs.size, vectors)(call);
      }
    });
  }

  // The last vector of sums begins where the last whole one ends, but it also holds columns that lie before. Those that
  // lie behind are moved to their place.
  void join_last_columns(int64_t columns) {
    const int64_t whole = columns / width * width;
    for (int64_t i = 0; i < outputs_; ++i) {
      Scalar* const to = sums_ + i * plan_.column_stride + whole;
      const Scalar* const from = to + width - (columns - whole);
      for (int64_t j = 0; j < columns - whole; ++j) to[j] = from[j];
    }
  }

  // Writes input channel `in_channel`, which is number `column` of the task.
  void write(int64_t in_channel, int64_t column) {
    const Problem& p = plan_.problem;
    const ActivationStrides& strides = p.input_strides;
    const int64_t span = plan_.span;
    for (int64_t n = 0; n < p.batch; ++n) {
      for (int64_t i = 0; i < span; ++i) span_[i] = Scalar(0);
      for (int64_t t = 0; t < p.output_length; ++t) {
        const Scalar* const from = sums_ + (n * p.output_length + t) * plan_.column_stride + column * p.kernel_size;
        Scalar* const to = span_ + t * p.stride;
        for (int64_t k = 0; k < p.kernel_size; ++k) to[k * p.dilation] += from[k];
      }
      if (p.padding_mode != PaddingMode::zeros) fold_padding();
      Storage* const to = static_cast<Storage*>(operands_.output) + n * strides.batch + in_channel * strides.channel;
      const Scalar* const from = span_ + p.padding_left;
      for (int64_t i = 0; i < p.input_length; ++i) narrow(from[i], to + i * strides.time);
    }
  }

  // Gradients of padded positions go to the samples that they are copies of.
  void fold_padding() {
    const Problem& p = plan_.problem;
    Scalar* const samples = span_ + p.padding_left;
    const auto fold = [&](int64_t position) {
      const int64_t source = source_of(position, p);
      if (source >= 0) samples[source] += samples[position];
    };
    for (int64_t i = -p.padding_left; i < 0; ++i) fold(i);
    for (int64_t i = p.input_length; i < plan_.span - p.padding_left; ++i) fold(i);
  }

  const ForwardOperands& operands_;
  Scalar* const samples_;
  Scalar* const sums_;  // [output][column]
  Scalar* const span_;  // all positions that the taps read, padded ones included
};

// The operands are those of a forward sum: its input is grad_output, its output grad_input.
template <class Isa, class Storage>
void run_grad_input_columns(const ColumnPlan& plan, const ForwardOperands& operands, int64_t first_task,
                            int64_t last_task, int slot) {
  GradInputColumns<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
