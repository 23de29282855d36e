// Few outputs of many channels, as in deep layers of U-Nets, with weights packed ahead: lanes are output channels.
//
// A vector of times would be mostly empty, and a vector of output channels is full. The register tile is some times by
// some vectors of output channels (lane_tile.h). Weights are packed [vector][in_channel][tap][lane], so that each
// vector's stream through memory from one end to the other, once for up to a tile of times.
#pragma once

#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/rows/rows.h"
#include "lane_tile.h"
#include "out_lane_plan.h"

namespace tapconv::kernels {
namespace {

// Packs vector number `index` of output channels, counted over all groups.
template <class Isa, class Storage>
void pack_out_lane_vector(const OutLanePlan& plan, const ForwardOperands& operands, int64_t index) {
  using Scalar = ComputeType<Storage>;
  constexpr int width = Isa::template VectorOf<Scalar>::type::width;
  const Problem& p = plan.problem;
  const WeightStrides& strides = p.weight_strides;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t vectors = ceil_div(group_out, width);
  const int64_t first = index % vectors * width;
  const Storage* const weight =
      static_cast<const Storage*>(operands.weight) + (index / vectors * group_out + first) * strides.out_channel;
  Scalar* to = static_cast<Scalar*>(operands.packed_weight) + index * group_in * p.kernel_size * width;
  for (int64_t c = 0; c < group_in; ++c) {
    for (int64_t k = 0; k < p.kernel_size; ++k, to += width) {
      for (int lane = 0; lane < width; ++lane) {
        to[lane] = first + lane < group_out
                       ? widen(weight[lane * strides.out_channel + c * strides.in_channel + k * strides.tap])
                       : Scalar(0);
      }
    }
  }
}

template <class Isa, class Storage>
class OutLaneRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;
  static constexpr int steps_ahead = 24;

 public:
  OutLaneRunner(const OutLanePlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        vectors_(ceil_div(group_out_, width)) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = slot_memory(plan, workspace, slot);
    offsets_ = reinterpret_cast<const int32_t*>(workspace + plan.offset_table_at);
    rows_ = reinterpret_cast<Scalar*>(own);
    sums_ = reinterpret_cast<Scalar*>(own + plan.slot_partial_at);
  }

  // A block of vectors of output channels, of one sample and group.
  void run(int64_t task) {
    const Problem& p = plan_.problem;
    const int64_t first = task % plan_.out_block_count * plan_.out_block;
    const int64_t last = first + plan_.out_block < vectors_ ? first + plan_.out_block : vectors_;
    task /= plan_.out_block_count;
    const int64_t group = task % p.groups;
    const int64_t sample = task / p.groups;
    const Storage* const input = static_cast<const Storage*>(operands_.input) + sample * p.input_strides.batch +
                                 group * group_in_ * p.input_strides.channel;
    for (int64_t c = 0; c < group_in_; c += plan_.channel_block) {
      const int64_t channels = group_in_ - c < plan_.channel_block ? group_in_ - c : plan_.channel_block;
      copy_rows<Vector>(plan_, input + c * p.input_strides.channel, channels, 0, p.output_length, rows_);
      sweep(group, first, last, c, channels);
    }
    for (int64_t v = first; v < last; ++v) write(sample, group, v, sums_ + (v - first) * width);
  }

 private:
  // Adds some input channels to the sums of the vectors [first, last).
  void sweep(int64_t group, int64_t first, int64_t last, int64_t channel, int64_t channels) {
    constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
    const Problem& p = plan_.problem;
    const int64_t column_tiles = ceil_div(last - first, tiles.columns[plan_.tile_rows]);
    LaneTileCall<Scalar, Scalar, Scalar> call;
    call.offsets = offsets_;
    call.steps = channels * p.kernel_size;
    call.step_distance = width;
    call.column_distance = group_in_ * p.kernel_size * width;
    call.ahead = steps_ahead * width;
    call.sums_stride = plan_.partial_stride;
    call.accumulate = channel > 0;
    for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) {
      const Share columns = share_of(column_tile, column_tiles, last - first);
      call.weight = static_cast<const Scalar*>(operands_.packed_weight) +
                    (group * vectors_ + first + columns.first) * call.column_distance + channel * p.kernel_size * width;
      for (int64_t time_tile = 0; time_tile < plan_.tile_row_count; ++time_tile) {
        const Share times = share_of(time_tile, plan_.tile_row_count, p.output_length);
        call.rows = rows_ + times.first;
        call.sums = sums_ + times.first * call.sums_stride + columns.first * width;
        lane_tile_of<Isa, Vector, Scalar, Scalar>(times.size, columns.size)(call);
      }
    }
  }

  // One vector of output channels: with its bias, and by channel instead of by time.
  void write(int64_t sample, int64_t group, int64_t vector, const Scalar* sums) {
    const Problem& p = plan_.problem;
    const int64_t first = group * group_out_ + vector * width;
    const int lanes = group_out_ - vector * width < width ? static_cast<int>(group_out_ - vector * width) : width;
    auto bias = Vector::zero();
    if (operands_.bias != nullptr) {
      bias = Vector::load_partial(static_cast<const Storage*>(operands_.bias) + first, lanes);
    }
    Storage* const output =
        static_cast<Storage*>(operands_.output) + sample * p.output_strides.batch + first * p.output_strides.channel;
    for (int64_t time = 0; time < p.output_length; time += width) {
      const int times = p.output_length - time < width ? static_cast<int>(p.output_length - time) : width;
      typename Vector::Register block[width];
      for (int t = 0; t < width; ++t) {
        block[t] = Vector::add(Vector::load(sums + (time + (t < times ? t : 0)) * plan_.partial_stride), bias);
      }
      Vector::transpose(block);
      for (int lane = 0; lane < lanes; ++lane) {
        Storage* const to = output + lane * p.output_strides.channel + time * p.output_strides.time;
        if (p.output_strides.time == 1) {
          Vector::store_partial(to, block[lane], times);
        } else {
          Scalar numbers[width];
          Vector::store(numbers, block[lane]);
          for (int t = 0; t < times; ++t) narrow(numbers[t], to + t * p.output_strides.time);
        }
      }
    }
  }

  const OutLanePlan& plan_;
  const ForwardOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const int64_t vectors_;
  const int32_t* offsets_;
  Scalar* rows_;
  Scalar* sums_;  // [time][output channel]
};

template <class Isa, class Storage>
void run_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task,
                   int slot) {
  OutLaneRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Isa, class Storage>
constexpr OutLaneKernels out_lane_kernels() {
  return {&pack_out_lane_vector<Isa, Storage>, &run_out_lanes<Isa, Storage>};
}

}  // namespace
}  // namespace tapconv::kernels
