// The weight gradient of a handful of outputs is the counterpart of grad_input_columns.h.
//
// The gradient of an output channel's weights is one row of (in_channel, tap) columns, side by side. It is the sum of
// the columns that the outputs read (few_outputs/column.h), each times the gradient of that output. Lanes are columns,
// so they are full whatever the length, nothing has to be transposed on the way out, and each row is written once, in
// its order. With so few outputs, writing is most of the time.
//
// Loop order: register tiles of output channels are outermost, then columns, so that the rows of a tile are written
// from one end to the other. The columns come from the second-level cache. The register budget is that of lane_tile.h.
#pragma once

#include "column_task.h"
#include "kernels/algorithms/few_outputs/column.h"
#include "kernels/algorithms/few_outputs/lane_tile.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class GradWeightColumns : ColumnTasks {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;

 public:
  GradWeightColumns(const ColumnPlan& plan, const GradWeightOperands& operands, int slot)
      : ColumnTasks(plan, operands.workspace, slot),
        operands_(operands),
        columns_(reinterpret_cast<Scalar*>(own_)),
        gradients_(reinterpret_cast<Scalar*>(own_ + plan.slot_gradient_at)) {}

  // Computes some input channels of one group.
  void run(int64_t task) {
    const int64_t group = group_of(task);
    const Share channels = channels_of(task);
    gather_columns(group * group_in_ + channels.first, channels.size);
    const int64_t tiles = plan_.tile_row_count;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const Share outs = share_of(tile, tiles, group_out_);
      const int64_t first = group * group_out_ + outs.first;
      gather_gradients(first, outs.size);
      if (operands_.grad_bias != nullptr && channels.first == 0) write_bias(first, outs.size);
      sweep(first, outs.size, channels);
    }
  }

 private:
  void gather_columns(int64_t in_channel, int64_t channels) {
    const Problem& p = plan_.problem;
    OutputPosition position{0, 0};
    for (int64_t i = 0; i < outputs_; ++i, position.advance(p.output_length)) {
      const Storage* const input = static_cast<const Storage*>(operands_.input) +
                                   position.sample * p.input_strides.batch + in_channel * p.input_strides.channel;
      gather_column<Vector>(p, input, channels, position.time, columns_ + i * plan_.column_stride);
    }
  }

  // The gradients of one register tile are gathered as [output][out_channel].
  void gather_gradients(int64_t out_channel, int outs) {
    const Problem& p = plan_.problem;
    const ActivationStrides& strides = p.output_strides;
    OutputPosition position{0, 0};
    for (int64_t i = 0; i < outputs_; ++i, position.advance(p.output_length)) {
      const Storage* const from = static_cast<const Storage*>(operands_.grad_output) + position.sample * strides.batch +
                                  position.time * strides.time + out_channel * strides.channel;
      for (int o = 0; o < outs; ++o) gradients_[i * largest_tile_rows + o] = widen(from[o * strides.channel]);
    }
  }

  void write_bias(int64_t out_channel, int outs) {
    for (int o = 0; o < outs; ++o) {
      Scalar sum = 0;
      for (int64_t i = 0; i < outputs_; ++i) sum += gradients_[i * largest_tile_rows + o];
      narrow(sum, static_cast<Storage*>(operands_.grad_bias) + out_channel + o);
    }
  }

  void sweep(int64_t out_channel, int outs, const Share& channels) {
    const Problem& p = plan_.problem;
    LaneTileCall<Scalar, Scalar, Storage> call;
    call.rows = gradients_;
    call.offsets = offsets_;
    call.steps = outputs_;
    call.step_distance = plan_.column_stride;
    call.column_distance = width;
    call.sums_stride = p.weight_strides.out_channel;
    call.accumulate = false;
    Storage* const weights = static_cast<Storage*>(operands_.grad_weight) + out_channel * p.weight_strides.out_channel +
                             channels.first * p.kernel_size;
    const int64_t columns = channels.size * p.kernel_size;
    // Where the last vector overlaps the one before it, both have the same sums.
    for_each_column_tile<Isa, Vector>(columns, plan_.tile_rows, [&](int64_t column, int vectors, int64_t) {
      call.weight = columns_ + column;
      call.ahead = vectors * width;
      call.sums = weights + column;
      lane_tile_of<Isa, Vector, Scalar, Storage>(outs, vectors)(call);
    });
  }

  const GradWeightOperands& operands_;
  Scalar* const columns_;
  Scalar* const gradients_;
};

template <class Isa, class Storage>
void run_grad_weight_columns(const ColumnPlan& plan, const GradWeightOperands& operands, int64_t first_task,
                             int64_t last_task, int slot) {
  GradWeightColumns<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
