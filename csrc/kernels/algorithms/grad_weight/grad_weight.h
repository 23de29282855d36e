// The weight gradient copies rows as the forward sum does, and the tiles of grad_weight_tile.h sweep over them.
//
// Loop order of a task: (sample, time block) pairs are outermost, since every block of rows and of grad_output is then
// read once, and the sums of all (channel, tap, output channel) triples of the task stay in L2 from the first block to
// the last. The register budget is that of the tiles.
#pragma once

#include "grad_weight_plan.h"
#include "grad_weight_sums.h"
#include "grad_weight_tile.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class GradWeightRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  static constexpr bool same_type = sizeof(Storage) == sizeof(Scalar);
  static constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);

 public:
  GradWeightRunner(const GradWeightPlan& plan, const GradWeightOperands& operands, int slot)
      : plan_(plan), blocks_(plan.grad_weight), p_(plan.problem), operands_(operands) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = slot_memory(plan, workspace, slot);
    offsets_ = reinterpret_cast<const int32_t*>(workspace + plan.offset_table_at);
    rows_ = reinterpret_cast<Scalar*>(own);
    gradient_ = reinterpret_cast<Scalar*>(own + blocks_.slot_gradient_at);
    sums_ = reinterpret_cast<Scalar*>(own + blocks_.slot_sums_at);
    bias_ = reinterpret_cast<Scalar*>(own + blocks_.slot_bias_at);
  }

  void run(int64_t number) {
    const GradWeightTask task(plan_, number, operands_.grad_bias != nullptr);
    outs_ = task.outs;
    pairs_ = task.pairs;
    with_bias_ = task.with_bias;
    if (with_bias_) zero_sums<Vector>(bias_, rounded_up(outs_, width) * width);
    const int64_t lanes_per_out = blocks_.channel_lanes ? 1 : width;
    sums_stride_ = blocks_.out_lanes * lanes_per_out;
    zero_sums<Vector>(sums_, pairs_ * sums_stride_);

    const Storage* const input =
        static_cast<const Storage*>(operands_.input) +
        (task.group * (p_.in_channels / p_.groups) + task.first_channel) * p_.input_strides.channel;
    const Storage* const grad_output =
        static_cast<const Storage*>(operands_.grad_output) + task.out_channel * p_.output_strides.channel;
    for (int64_t step = task.steps.first; step < task.steps.first + task.steps.size; ++step) {
      const int64_t sample = step / plan_.time_block_count;
      const int64_t time = step % plan_.time_block_count * plan_.time_block;
      const int64_t count = min(plan_.time_block, p_.output_length - time);
      copy_rows<Vector>(plan_, input + sample * p_.input_strides.batch, task.channels, time, count, rows_);
      const Storage* const block = grad_output + sample * p_.output_strides.batch + time * p_.output_strides.time;
      if (blocks_.channel_lanes) {
        add_with_channel_lanes(block, count);
      } else {
        add_with_time_lanes(block, count);
      }
    }
    if (!blocks_.channel_lanes) {
      add_lanes<Vector>(sums_, pairs_ * blocks_.out_lanes);
      sums_stride_ = blocks_.out_lanes;
      if (with_bias_) add_lanes<Vector>(bias_, outs_);
    }
    write_grad_weight<Vector, Storage>(plan_, operands_, task, sums_, sums_stride_);
    if (with_bias_) write_grad_bias<Storage>(plan_, operands_, task, bias_);
  }

 private:
  void add_with_channel_lanes(const Storage* grad_output, int64_t count) {
    const int64_t vectors = ceil_div(outs_, width);
    const int64_t panels = ceil_div(vectors, tiles.columns);
    for (int64_t panel = 0; panel < panels; ++panel) {
      const Share columns = share_of(panel, panels, vectors);
      const int64_t max_pairs = tiles.pairs_of_columns[columns.size];
      const int64_t pair_tiles = ceil_div(pairs_, max_pairs);
      const int64_t first_lane = columns.first * width;
      const int64_t stride = columns.size * width;
      for (int64_t time = 0; time < count; time += blocks_.gradient_block) {
        const int64_t times = min(blocks_.gradient_block, count - time);
        for (int column = 0; column < columns.size; ++column) {
          const int64_t lane = first_lane + column * width;
          transpose_gradient<Vector>(
              p_.output_strides, grad_output + lane * p_.output_strides.channel + time * p_.output_strides.time,
              static_cast<int>(min(width, outs_ - lane)), times, gradient_ + column * width, stride);
        }
        for (int64_t lane = 0; with_bias_ && lane < stride; lane += width) {
          add_times<Vector>(gradient_ + lane, stride, times, bias_ + first_lane + lane);
        }
        for (int64_t tile = 0; tile < pair_tiles; ++tile) {
          const Share pairs = share_of(tile, pair_tiles, pairs_);
          channel_lane_tile_of<Isa, Vector>(columns.size, pairs.size)(
              rows_ + time, offsets_ + pairs.first, gradient_, stride, times,
              sums_ + pairs.first * sums_stride_ + first_lane, sums_stride_);
        }
      }
    }
  }

  void add_with_time_lanes(const Storage* grad_output, int64_t count) {
    const Scalar* gradient = gradient_;
    int64_t gradient_stride = rounded_up(plan_.time_block, width);
    if constexpr (same_type) {
      if (p_.output_strides.time == 1) {
        gradient = grad_output;
        gradient_stride = p_.output_strides.channel;
      }
    }
    if (gradient == gradient_) {
      for (int64_t o = 0; o < outs_; ++o) {
        copy_gradient(grad_output + o * p_.output_strides.channel, count, gradient_ + o * gradient_stride);
      }
    }
    if (with_bias_) {
      for (int64_t o = 0; o < outs_; ++o) add_row_to_bias(gradient + o * gradient_stride, count, bias_ + o * width);
    }
    const int64_t out_tiles = ceil_div(outs_, tiles.rows);
    for (int64_t out_tile = 0; out_tile < out_tiles; ++out_tile) {
      const Share outs = share_of(out_tile, out_tiles, outs_);
      const int64_t max_pairs = tiles.pairs_of_rows[outs.size];
      const int64_t pair_tiles = ceil_div(pairs_, max_pairs);
      for (int64_t tile = 0; tile < pair_tiles; ++tile) {
        const Share pairs = share_of(tile, pair_tiles, pairs_);
        time_lane_tile_of<Isa, Vector>(outs.size, pairs.size)(
            rows_, offsets_ + pairs.first, gradient + outs.first * gradient_stride, gradient_stride, count,
            sums_ + pairs.first * sums_stride_ + outs.first * width, sums_stride_);
      }
    }
  }

  // With times in the lanes, each output channel has a vector of sums.
  static void add_row_to_bias(const Scalar* gradient, int64_t count, Scalar* to) {
    Register sum = Vector::zero();
    int64_t t = 0;
    for (; t + width <= count; t += width) sum = Vector::add(sum, Vector::load(gradient + t));
    if (t < count) sum = Vector::add(sum, Vector::load_partial(gradient + t, static_cast<int>(count - t)));
    Vector::store(to, Vector::add(Vector::load(to), sum));
  }

  void copy_gradient(const Storage* from, int64_t count, Scalar* to) const {
    const int64_t distance = p_.output_strides.time;
    int64_t t = 0;
    if (distance == 1) {
      for (; t + width <= count; t += width) Vector::store(to + t, Vector::load(from + t));
    }
    for (; t < count; ++t) to[t] = widen(from[t * distance]);
  }

  const GradWeightPlan& plan_;
  const GradWeightBlocks& blocks_;
  const Problem& p_;
  const GradWeightOperands& operands_;
  const int32_t* offsets_;
  Scalar* rows_;
  Scalar* gradient_;
  Scalar* sums_;
  Scalar* bias_;
  // These members describe the task at hand.
  bool with_bias_ = false;  // one task for each output channel also sums the gradient itself
  int64_t outs_ = 0;
  int64_t pairs_ = 0;
  int64_t sums_stride_ = 0;
};

template <class Isa, class Storage>
void run_grad_weight(const GradWeightPlan& plan, const GradWeightOperands& operands, int64_t first_task,
                     int64_t last_task, int slot) {
  GradWeightRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
