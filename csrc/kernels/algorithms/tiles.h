// Convolution by tiles: rows are cut into overlapping tiles, tiles and filters are transformed (transforms.h), and the
// convolution becomes one matrix product of (output channels x input channels) with (input channels x tiles) for each
// product of the transform. Those are direct sums with one tap, which tap_tile.h computes.
//
// Tiles are numbered through all samples, then along the row, then through the phases of the dilation: outputs t, t +
// dilation, ... form an undilated row of their own. A task takes a block of consecutive tiles of one group: it
// transforms them for all input channels, and multiplies and transforms back one block of output channels after the
// other.
#pragma once

#include "../kernel_table.h"
#include "../rows.h"
#include "../tile_transforms.h"
#include "tap.h"
#include "tile_gather.h"
#include "tile_weights.h"
#include "transforms.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class TileRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  static constexpr int width = Vector::width;

 public:
  TileRunner(const Plan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        problem_(plan.problem),
        blocks_(plan.tiles),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        transform_(transform_functions<Vector>(plan.tiles.transform)),
        products_(shape_of(plan.tiles.transform).products) {
    char* const own = workspace() + plan.slots_at + static_cast<size_t>(slot) * plan.slot_bytes;
    inputs_ = reinterpret_cast<Scalar*>(own);
    outputs_ = reinterpret_cast<Scalar*>(own + blocks_.slot_products_at);
    samples_ = reinterpret_cast<Scalar*>(own + blocks_.slot_samples_at);
    rows_ = reinterpret_cast<Scalar*>(own + blocks_.slot_rows_at);
    offsets_ = reinterpret_cast<const int32_t*>(workspace() + plan.offset_table_at);
    bias_ = operands.bias == nullptr ? nullptr : reinterpret_cast<const Scalar*>(workspace() + plan.bias_at);
  }

  void run(int64_t task) {
    const int64_t block = task % blocks_.block_count;
    task /= blocks_.block_count;
    const int64_t part = task % blocks_.out_parts;
    const int64_t group = task / blocks_.out_parts;
    lanes_.locate(plan_, block, width);
    if (!transform_inputs(group)) {
      raise_flag(workspace() + blocks_.flags_at + 1 + group * blocks_.block_count + block);
      return;
    }
    const int64_t first = part * plan_.out_block_count / blocks_.out_parts;
    const int64_t last = (part + 1) * plan_.out_block_count / blocks_.out_parts;
    for (int64_t out_block = first; out_block < last; ++out_block) {
      const int64_t first_tile = out_block * plan_.out_block;
      const int64_t last_tile = smaller(first_tile + plan_.out_block, plan_.tile_row_count);
      multiply(group, out_block, first_tile, last_tile);
      const int64_t first_out = part_of(first_tile, plan_.tile_row_count, group_out_).first;
      const int64_t last_out = part_of(last_tile, plan_.tile_row_count, group_out_).first;
      if (plan_.variant.wide_output) {
        transform_outputs(group * group_out_ + first_out, last_out - first_out, static_cast<Scalar*>(operands_.output));
      } else {
        transform_outputs(group * group_out_ + first_out, last_out - first_out,
                          static_cast<Storage*>(operands_.output));
      }
    }
  }

 private:
  // False if a sum over these samples might leave the range of the type, or holds a NaN or an infinity.
  bool transform_inputs(int64_t group) {
    const Storage* channel = static_cast<const Storage*>(operands_.input) + group * group_in_ * strides().channel;
    typename Vector::Register squares = Vector::zero();
    Scalar* to = inputs_;
    for (int64_t c = 0; c < group_in_; ++c, channel += strides().channel) {
      for (int64_t s = 0; s < plan_.rows.segment_count; ++s) {
        for (int r = 0; r < lanes_.run_count; ++r) {
          const TileRun& run = lanes_.runs[r];
          const int64_t first = run.first * problem_.stride + s * problem_.dilation - problem_.padding_left;
          copy_segment<Vector>(problem_, channel + run.sample * strides().batch, first, run.count, rows_ + run.at);
        }
        clear_row_end();
        for (int64_t i = 0; i < lanes_.row_length; i += width) {
          const auto x = Vector::load(rows_ + i);
          squares = Vector::multiply_add(x, x, squares);
        }
        for (int lane = 0; lane < lanes_.count; lane += width) {
          if (blocks_.phases == 1) {
            gather_tiles<Vector>(lanes_, lane, rows_, shape_of(blocks_.transform).size, samples_);
          } else {
            gather_phases<Vector>(lanes_, lane, rows_, blocks_.phases, shape_of(blocks_.transform).size, samples_);
          }
          transform_.input(samples_, to + lane, blocks_.input_plane);
        }
        to += blocks_.block_tiles;
      }
    }
    return Vector::sum(squares) <= largest_square_sum<Scalar>;
  }

  // Between the last sample of a row and the end of its last vector.
  void clear_row_end() {
    for (int64_t i = lanes_.row_length; i % width != 0; ++i) rows_[i] = 0;
  }

  void multiply(int64_t group, int64_t out_block, int64_t first_tile, int64_t last_tile) {
    constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
    const int64_t vectors = (lanes_.count + width - 1) / width;
    const int64_t most_columns = tiles.columns[plan_.tile_rows];
    const int64_t column_tiles = (vectors + most_columns - 1) / most_columns;
    const int64_t block_out = part_of(first_tile, plan_.tile_row_count, group_out_).first;
    const Scalar* weight = transformed_weight<Scalar>(plan_, operands_.workspace, group, out_block);
    TileCall<Scalar> call;
    call.offsets = offsets_;
    call.weight_stride = 0;
    call.bias = nullptr;
    call.output_stride = blocks_.block_tiles;
    call.last_count = width;
    for (int q = 0; q < products_; ++q, weight += blocks_.weight_plane) {
      for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) {
        const Part columns = part_of(column_tile, column_tiles, vectors);
        const int64_t lane = columns.first * width;
        for (int64_t channel = 0; channel < blocks_.channels; channel += plan_.channel_block) {
          call.rows = inputs_ + q * blocks_.input_plane + channel * blocks_.block_tiles + lane;
          call.pair_count = smaller(plan_.channel_block, blocks_.channels - channel);
          call.accumulate = channel > 0;
          for (int64_t tile = first_tile; tile < last_tile; ++tile) {
            const Part part = part_of(tile, plan_.tile_row_count, group_out_);
            call.weight = weight + (tile - first_tile) * blocks_.weight_tile + channel * part.size;
            call.output = outputs_ + q * blocks_.output_plane + (part.first - block_out) * blocks_.block_tiles + lane;
            tile_of<Isa, Vector, true>(part.size, columns.size)(call);
          }
        }
      }
    }
  }

  template <class To>
  void transform_outputs(int64_t first_out, int64_t count, To* output) {
    output += first_out * problem_.output_strides.channel;
    for (int64_t o = 0; o < count; ++o, output += problem_.output_strides.channel) {
      const Scalar bias = bias_ == nullptr ? Scalar(0) : bias_[first_out + o];
      for (int lane = 0; lane < lanes_.count; lane += width) {
        transform_.output(outputs_ + o * blocks_.block_tiles + lane, blocks_.output_plane, bias, samples_);
        if (blocks_.phases == 1) {
          scatter_tiles<Vector>(lanes_, lane, samples_, blocks_.outputs, problem_.output_strides.time, output);
        } else {
          scatter_phases<Vector>(lanes_, lane, samples_, blocks_.outputs, blocks_.phases, problem_.output_strides.time,
                                 output);
        }
      }
    }
  }

  const ActivationStrides& strides() const { return problem_.input_strides; }
  char* workspace() const { return static_cast<char*>(operands_.workspace); }
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  const Plan& plan_;
  const Problem& problem_;
  const TileBlocks& blocks_;
  const ForwardOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const TransformFunctions<Scalar>& transform_;
  const int products_;
  Scalar* inputs_;   // [product][channel][tile]
  Scalar* outputs_;  // [product][output channel][tile]
  Scalar* samples_;  // [sample][lane]
  Scalar* rows_;
  const int32_t* offsets_;
  const Scalar* bias_;
  TileLanes lanes_;
};

template <class Isa, class Storage>
void run_tiles(const Plan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task, int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Isa, class Storage>
constexpr TileKernels tile_kernels() {
  return {&transform_weight_tiles<Isa, Storage>, &run_tiles<Isa, Storage>};
}

}  // namespace
}  // namespace tapconv::kernels
