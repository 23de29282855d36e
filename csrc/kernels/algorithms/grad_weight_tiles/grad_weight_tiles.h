// The weight gradient is computed by tiles here. It is a convolution too, of the input with the gradient as its filter.
// So tiles of the input are transformed like those of the forward sum, tiles of grad_output like filters, and their
// products are added up over all tiles before anything is transformed back. The way back is taken once for each filter,
// not for each tile.
//
// Lanes are tiles for the input and output channels for the gradient, which makes every product of the transform one
// sum over tiles of the form that grad_weight_tile.h computes, whose register budget holds here. Loop order: each call
// of it works on one product, whose tiles, sums and gradients fit L1 together; the next product follows in memory.
#pragma once

#include "grad_weight_tile_plan.h"
#include "grad_weight_tile_repair.h"
#include "kernels/algorithms/grad_weight/grad_weight_sums.h"
#include "kernels/algorithms/grad_weight/grad_weight_tile.h"
#include "kernels/algorithms/tiles/tile_filters.h"
#include "kernels/algorithms/tiles/tile_gather.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/algorithms/transforms/transforms.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/numbers/value_range.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class GradWeightTileRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;
  static constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);

 public:
  GradWeightTileRunner(const GradWeightTilePlan& plan, const GradWeightOperands& operands, int slot)
      : plan_(plan),
        blocks_(plan.grad_weight),
        cut_(plan.tiles),
        p_(plan.problem),
        operands_(operands),
        transform_(transform_functions<Vector>(plan.tiles.transform)),
        size_(shape_of(plan.tiles.transform).size),
        products_(shape_of(plan.tiles.transform).products),
        repair_(plan, slot_memory(plan, operands.workspace, slot)) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = slot_memory(plan, operands.workspace, slot);
    const auto at = [own](size_t offset) { return reinterpret_cast<Scalar*>(own + offset); };
    offsets_ = reinterpret_cast<const int32_t*>(workspace + plan.offset_table_at);
    flag_ = workspace + cut_.flags_at;
    inputs_ = at(cut_.slot_inputs_at);
    gradients_ = at(blocks_.slot_gradient_at);
    products_sums_ = at(cut_.slot_outputs_at);
    sums_ = at(blocks_.slot_sums_at);
    bias_ = at(blocks_.slot_bias_at);
    rows_ = at(cut_.slot_rows_at);
    samples_ = at(cut_.slot_samples_at);
  }

  void run(int64_t number) {
    const GradWeightTask task(plan_, number, operands_.grad_bias != nullptr);
    const int64_t channels = task.channels * plan_.rows.segment_count;
    zero_sums<Vector>(products_sums_, products_ * cut_.output_plane);
    repair_.begin_task();
    if (task.with_bias) zero_sums<Vector>(bias_, blocks_.out_lanes);
    for (int64_t block = task.steps.first; block < task.steps.first + task.steps.size; ++block) {
      lanes_.locate(plan_, plan_.tiles, block, width);
      transform_inputs(task);
      transform_gradients(task);
      multiply(channels, task.outs);
      if (repair_.any_left_out()) add_left_out(task);
    }
    transform_back(channels, task);
    repair_.add_sums(task, sums_);
    write_grad_weight<Vector, Storage>(plan_, operands_, task, sums_, blocks_.out_lanes);
    if (task.with_bias) write_grad_bias<Storage>(plan_, operands_, task, bias_);
  }

 private:
  const Storage* first_channel(const GradWeightTask& task) const {
    return static_cast<const Storage*>(operands_.input) +
           (task.group * (p_.in_channels / p_.groups) + task.first_channel) * p_.input_strides.channel;
  }

  void transform_inputs(const GradWeightTask& task) {
    const Storage* channel = first_channel(task);
    Scalar* to = inputs_;
    repair_.begin_block();
    for (int64_t c = 0; c < task.channels; ++c, channel += p_.input_strides.channel) {
      for (int64_t s = 0; s < plan_.rows.segment_count; ++s, to += cut_.block_tiles) {
        copy_tile_row<Vector>(p_, lanes_, channel, s, rows_);
        for (int lane = 0; lane < lanes_.count; lane += width) {
          if (cut_.dilation_phases == 1) {
            gather_tiles<Vector>(lanes_, lane, rows_, size_, samples_);
          } else {
            gather_phases<Vector>(lanes_, lane, rows_, cut_.dilation_phases, size_, samples_);
          }
          repair_.leave_out(lanes_, c * plan_.rows.segment_count + s, s, lane, samples_);
          transform_.input(samples_, to + lane, cut_.input_plane, nullptr);
        }
      }
    }
  }

  // Takes one vector of output channels after the other: their gradients are transposed to [time][output channel], and
  // each tile of them is transformed like a filter.
  void transform_gradients(const GradWeightTask& task) {
    for (int64_t o = 0; o < task.outs; o += width) {
      transpose_gradients(task, o);
      for (int64_t i = cut_.outputs; i < size_; ++i) Vector::store(samples_ + i * width, Vector::zero());
      for (int lane = 0; lane < lanes_.count; ++lane) {
        const int64_t times = min(cut_.outputs, ceil_div(lanes_.left[lane], cut_.dilation_phases));
        const Scalar* from = rows_ + int64_t(lanes_.row_at[lane]) * width;
        for (int64_t i = 0; i < cut_.outputs; ++i) {
          Vector::store(samples_ + i * width,
                        i < times ? Vector::load(from + i * cut_.dilation_phases * width) : Vector::zero());
        }
        if (task.with_bias) add_times<Vector>(samples_, width, cut_.outputs, bias_ + o);
        transform_.weight(samples_, gradients_ + lane * blocks_.out_lanes + o, cut_.weight_plane);
      }
    }
  }

  // Copies the gradients of a vector of output channels to the buffer of rows, as [element][lane].
  void transpose_gradients(const GradWeightTask& task, int64_t o) {
    const ActivationStrides& strides = p_.output_strides;
    const Storage* const grad_output =
        static_cast<const Storage*>(operands_.grad_output) + (task.out_channel + o) * strides.channel;
    const int outs = static_cast<int>(min(width, task.outs - o));
    for (int r = 0; r < lanes_.run_count; ++r) {
      const TileRun& run = lanes_.runs[r];
      const int64_t times = min(run.count, p_.output_length - run.first);
      transpose_gradient<Vector>(strides, grad_output + run.sample * strides.batch + run.first * strides.time, outs,
                                 times, rows_ + run.at * width, width);
      if (!is_ordinary<Vector>(rows_ + run.at * width, times * width)) raise_flag(flag_);
    }
  }

  void add_left_out(const GradWeightTask& task) {
    for (int64_t o = 0; o < task.outs; o += width) {
      transpose_gradients(task, o);
      repair_.add_products(lanes_, task, first_channel(task), o, rows_);
    }
  }

  void multiply(int64_t channels, int64_t outs) {
    const int64_t vectors = ceil_div(outs, width);
    const int64_t panels = ceil_div(vectors, tiles.columns);
    for (int q = 0; q < products_; ++q) {
      for (int64_t panel = 0; panel < panels; ++panel) {
        const Share columns = share_of(panel, panels, vectors);
        const int64_t most = tiles.pairs_of_columns[columns.size];
        const int64_t channel_tiles = ceil_div(channels, most);
        const int64_t lane = columns.first * width;
        for (int64_t tile = 0; tile < channel_tiles; ++tile) {
          const Share part = share_of(tile, channel_tiles, channels);
          channel_lane_tile_of<Isa, Vector>(columns.size, part.size)(
              inputs_ + q * cut_.input_plane, offsets_ + part.first, gradients_ + q * cut_.weight_plane + lane,
              blocks_.out_lanes, lanes_.count,
              products_sums_ + q * cut_.output_plane + part.first * blocks_.out_lanes + lane, blocks_.out_lanes);
        }
      }
    }
  }

  // The taps of a segment are every segment_count-th tap of its channel.
  void transform_back(int64_t channels, const GradWeightTask& task) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      const int64_t segment = channel % plan_.rows.segment_count;
      const int64_t first_pair = channel / plan_.rows.segment_count * p_.kernel_size + segment;
      for (int64_t o = 0; o < task.outs; o += width) {
        transform_.output(products_sums_ + channel * blocks_.out_lanes + o, cut_.output_plane, Scalar(0), samples_);
        for (int64_t i = 0; segment + i * plan_.rows.segment_count < p_.kernel_size; ++i) {
          Vector::store(sums_ + (first_pair + i * plan_.rows.segment_count) * blocks_.out_lanes + o,
                        Vector::load(samples_ + i * width));
        }
      }
    }
  }

  const GradWeightTilePlan& plan_;
  const GradWeightBlocks& blocks_;
  const TileBlocks& cut_;
  const Problem& p_;
  const GradWeightOperands& operands_;
  const TransformFunctions<Scalar>& transform_;
  const int size_;
  const int products_;
  GradWeightTileRepair<Vector, Storage> repair_;
  const int32_t* offsets_;
  char* flag_;
  Scalar* inputs_;         // [product][channel][tile]
  Scalar* gradients_;      // [product][tile][output channel]
  Scalar* products_sums_;  // [product][channel][output channel]
  Scalar* sums_;           // [channel][tap][output channel]
  Scalar* bias_;
  Scalar* rows_;
  Scalar* samples_;
  TileLanes lanes_;
};

template <class Isa, class Storage>
void run_grad_weight_tiles(const GradWeightTilePlan& plan, const GradWeightOperands& operands, int64_t first,
                           int64_t last, int slot) {
  GradWeightTileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first; task < last; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
