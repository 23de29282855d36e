// The direct sum copies rows block by block, and register tiles (register_tile.h) sweep over them.
//
// Loop order of a task: blocks of input channels are outermost, so that a block's rows stay in L2 and the part that one
// tile reads stays in L1. Tiles of time come next, and output channels are innermost, so that a tile's rows are fetched
// into L1 once and all output channels use them, while the packed weights stream from L2 at under 4 bytes a cycle. Sums
// of few pairs are bound by how they are written, and take the last two loops the other way around: a few rows of
// output are then written from one end to the other, where the first order would jump to another page with every tile.
#pragma once

#include <utility>

#include "depthwise_rows.h"
#include "kernels/core/direct_sum.h"
#include "kernels/core/forward_task.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/rows/bias.h"
#include "kernels/rows/rows.h"
#include "kernels/rows/write_output.h"
#include "pack_weights.h"
#include "register_tile.h"
#include "short_tile.h"
#include "window_tile.h"

namespace tapconv::kernels {
namespace {

template <class Scalar>
using TileFunction = void (*)(const TileCall<Scalar>&);

// The tiles of one number of rows stand in an array by their number of columns.
template <class Vector, bool Packed, int Rows, int... Columns>
TileFunction<typename Vector::Scalar> tile_of_columns(int columns, std::integer_sequence<int, Columns...>) {
  static constexpr TileFunction<typename Vector::Scalar> tiles[] = {
      &register_tile<Vector, Packed, Rows, Columns + 1>...};
  return tiles[columns - 1];
}

template <class Isa, class Vector, bool Packed, int Rows = 1>
TileFunction<typename Vector::Scalar> tile_of(int rows, int columns) {
  constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
  if constexpr (Rows < tiles.rows) {
    if (rows != Rows) return tile_of<Isa, Vector, Packed, Rows + 1>(rows, columns);
  }
  return tile_of_columns<Vector, Packed, Rows>(columns, std::make_integer_sequence<int, tiles.columns[Rows]>());
}

template <class Vector, int... Columns>
auto window_tile_of(int columns, std::integer_sequence<int, Columns...>) {
  using WindowFunction = void (*)(const WindowCall<typename Vector::Scalar>&);
  static constexpr WindowFunction tiles[] = {&window_tile<Vector, Columns + 1>...};
  return tiles[columns - 1];
}

// The weights of a tile of so many (channel, tap) pairs stay in L1 while it sweeps along the rows.
constexpr int64_t max_pairs_in_rows = 256;

// A block of output is some tiles of output channels of one sample and group, at times [time, time + count).
template <class Scalar>
struct DirectBlock {
  int64_t first_tile;
  int64_t last_tile;
  int64_t count;
  const Scalar* weight;  // of the group
  const Scalar* bias;    // of the group, or null
  Scalar* sums;          // [output channel of the block][time]
  int64_t sums_stride;
};

// Adds input channels [channel, channel + channels) of the group to a block.
template <class Isa, class Vector>
void sweep_tiles(const DirectPlan& plan, const DirectBlock<typename Vector::Scalar>& block,
                 const typename Vector::Scalar* rows, const int32_t* offsets, int64_t channel, int64_t channels) {
  constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
  const Problem& p = plan.problem;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_rows = ceil_div(p.in_channels / p.groups, plan.row_channels);
  const int64_t vectors = ceil_div(block.count, Vector::width);
  const int64_t max_columns = tiles.columns[plan.tile_rows];
  const int64_t column_tiles = ceil_div(vectors, max_columns);
  const int64_t block_out = share_of(block.first_tile, plan.tile_row_count, group_out).first;

  TileCall<typename Vector::Scalar> call;
  call.offsets = offsets;
  call.pair_count = channels * p.kernel_size;
  call.output_stride = block.sums_stride;
  call.accumulate = channel > 0;
  const bool by_pairs = plan.pack_weight || plan.weight_columns;
  const auto run = [&](int64_t tile, int64_t column_tile) {
    const Share part = share_of(tile, plan.tile_row_count, group_out);
    const Share columns = share_of(column_tile, column_tiles, vectors);
    const int64_t time = columns.first * Vector::width;
    const int64_t left = block.count - time - int64_t(columns.size - 1) * Vector::width;
    call.rows = rows + time;
    call.last_count = left < Vector::width ? static_cast<int>(left) : Vector::width;
    if (plan.pack_weight) {
      call.weight_stride = part.size;
      call.weight = block.weight + (part.first * group_rows + channel * part.size) * p.kernel_size;
    } else if (plan.weight_columns) {
      call.weight_stride = p.weight_strides.in_channel;
      call.weight = block.weight + part.first + channel * call.weight_stride;
    } else {
      call.weight_stride = p.weight_strides.out_channel;
      call.weight = block.weight + part.first * call.weight_stride + channel * p.kernel_size;
    }
    call.bias = block.bias ? block.bias + part.first : nullptr;
    call.output = block.sums + (part.first - block_out) * block.sums_stride + time;
    (by_pairs ? tile_of<Isa, Vector, true>(part.size, columns.size)
              : tile_of<Isa, Vector, false>(part.size, columns.size))(call);
  };
  if (call.pair_count <= max_pairs_in_rows) {
    for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) {
      for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) run(tile, column_tile);
    }
  } else {
    for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) {
      for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) run(tile, column_tile);
    }
  }
}

// Does the same for a group of one output channel whose taps can share loads (window_tile.h).
template <class Isa, class Vector>
void sweep_windows(const DirectPlan& plan, const DirectBlock<typename Vector::Scalar>& block,
                   const typename Vector::Scalar* rows, int64_t channel, int64_t channels) {
  constexpr int max_columns = register_tiles(Isa::register_count).columns[1];
  const Problem& p = plan.problem;
  const int64_t vectors = ceil_div(block.count, Vector::width);
  const int64_t column_tiles = ceil_div(vectors, max_columns);
  WindowCall<typename Vector::Scalar> call;
  call.row_length = plan.rows.row_length;
  call.channels = channels;
  call.taps = p.kernel_size;
  call.dilation = p.dilation;
  call.weight = block.weight + channel * p.kernel_size;
  call.start = block.bias ? *block.bias : typename Vector::Scalar(0);
  call.accumulate = channel > 0;
  for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) {
    const Share columns = share_of(column_tile, column_tiles, vectors);
    const int64_t time = columns.first * Vector::width;
    const int64_t left = block.count - time - int64_t(columns.size - 1) * Vector::width;
    call.rows = rows + time;
    call.output = block.sums + time;
    call.last_count = left < Vector::width ? static_cast<int>(left) : Vector::width;
    window_tile_of<Vector>(columns.size, std::make_integer_sequence<int, max_columns>())(call);
  }
}

template <class Isa, class Vector, int Pairs, int Rows = 1>
TileFunction<typename Vector::Scalar> short_tile_of(int rows) {
  if constexpr (Rows < register_tiles(Isa::register_count).rows) {
    if (rows != Rows) return short_tile_of<Isa, Vector, Pairs, Rows + 1>(rows);
  }
  return &short_tile<Vector, Pairs, Rows>;
}

// Does the same for outputs of at most a vector of times, from interleaved rows (short_tile.h).
template <class Isa, class Vector, int Pairs>
void sweep_short_tiles(const DirectPlan& plan, const DirectBlock<typename Vector::Scalar>& block,
                       const typename Vector::Scalar* rows, int64_t channel, int64_t channels) {
  // Long sums are made of short ones, which lose less to rounding.
  constexpr int64_t max_pairs = 256 * Pairs;
  const Problem& p = plan.problem;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t block_out = share_of(block.first_tile, plan.tile_row_count, group_out).first;
  const int64_t pair_count = channels * p.kernel_size;
  TileCall<typename Vector::Scalar> call;
  call.weight_stride = p.weight_strides.out_channel;
  call.output_stride = block.sums_stride;
  call.last_count = static_cast<int>(block.count);
  for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) {
    const Share part = share_of(tile, plan.tile_row_count, group_out);
    const auto* const weight = block.weight + part.first * call.weight_stride + channel * p.kernel_size;
    call.bias = block.bias ? block.bias + part.first : nullptr;
    call.output = block.sums + (part.first - block_out) * block.sums_stride;
    for (int64_t pair = 0; pair < pair_count; pair += max_pairs) {
      call.rows = rows + pair / Pairs * 2 * Vector::width;
      call.pair_count = min(pair_count - pair, max_pairs);
      call.weight = weight + pair;
      call.accumulate = channel + pair > 0;
      short_tile_of<Isa, Vector, Pairs>(part.size)(call);
    }
  }
}

template <class Isa, class Storage, class Vector>
class DirectRunner {
  using Scalar = ComputeType<Storage>;

 public:
  DirectRunner(const DirectPlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        group_rows_(ceil_div(group_in_, plan.row_channels)) {
    char* const own = slot_memory(plan, workspace(), slot);
    offsets_ = reinterpret_cast<const int32_t*>(workspace() + plan.offset_table_at);
    rows_ = reinterpret_cast<Scalar*>(own);
    partial_ = reinterpret_cast<Scalar*>(own + plan.slot_partial_at);
    interleaved_ = reinterpret_cast<Scalar*>(own + plan.slot_interleaved_at);
    weight_ = static_cast<const Scalar*>(plan.pack_weight ? operands.packed_weight : operands.weight);
    bias_ = operands.bias == nullptr ? nullptr : reinterpret_cast<const Scalar*>(workspace() + plan.bias_at);
  }

  void run(int64_t number) {
    const Problem& p = plan_.problem;
    const ForwardTask task(plan_, number);
    const int64_t group = task.group;
    const int64_t sample = task.sample;

    DirectBlock<Scalar> block;
    block.first_tile = task.out_block * plan_.out_block;
    block.last_tile = min(block.first_tile + plan_.out_block, plan_.tile_row_count);
    const int64_t first_out = share_of(block.first_tile, plan_.tile_row_count, group_out_).first;
    const int64_t last_out = share_of(block.last_tile, plan_.tile_row_count, group_out_).first;
    block.weight = weight_ + group * (plan_.pack_weight ? group_out_ * group_rows_ * p.kernel_size
                                                        : plan_.variant.weight_group_stride);
    block.bias = bias_ == nullptr ? nullptr : bias_ + group * group_out_;

    const Storage* input = static_cast<const Storage*>(operands_.input) + sample * p.input_strides.batch +
                           group * group_in_ * p.input_strides.channel;
    const int64_t begin = task.begin;
    block.count = task.count;
    block.sums = partial_;
    block.sums_stride = plan_.partial_stride;
    if (plan_.direct_output) {
      block.sums = static_cast<Scalar*>(operands_.output) + sample * p.output_strides.batch +
                   (group * group_out_ + first_out) * p.output_strides.channel + begin;
      block.sums_stride = p.output_strides.channel;
    }
    int64_t c = 0;
    do {  // once at least: without input channels the output is the bias
      const int64_t channels = min(plan_.channel_block, group_rows_ - c);
      if (plan_.short_tile_pairs > 0) {
        if constexpr (!PairingVector<Vector> && std::is_same_v<Storage, Scalar>) {
          add_by_short_tiles<2>(block, input, c, channels);
        }
        c += channels;
        continue;
      }
      copy_input(input, c, channels, begin, block.count);
      if (plan_.window_tiles) {
        sweep_windows<Isa, Vector>(plan_, block, rows_, c, channels);
      } else {
        sweep_tiles<Isa, Vector>(plan_, block, rows_, offsets_, c, channels);
      }
      c += channels;
    } while (c < group_rows_);
    if (!plan_.direct_output) {
      const FinishedSums<Scalar> sums{partial_, block.sums_stride, group * group_out_ + first_out, last_out - first_out,
                                      begin,    block.count};
      write_output<Vector, Storage>(plan_, sums, sample, operands_.output);
    }
  }

 private:
  template <int Pairs>
  void add_by_short_tiles(const DirectBlock<Scalar>& block, const Storage* input, int64_t channel, int64_t channels) {
    if constexpr (2 * Pairs <= largest_short_tile_pairs && 2 * Pairs <= Vector::width) {
      if (plan_.short_tile_pairs > Pairs) return add_by_short_tiles<2 * Pairs>(block, input, channel, channels);
    }
    const Problem& p = plan_.problem;
    if (has_runs_of_lanes(p) && !plan_.folded) {
      interleave_channels<Vector, Pairs>(p, input + channel * p.input_strides.channel, channels, interleaved_);
    } else {
      copy_input(input, channel, channels, 0, block.count);
      interleave_rows<Vector, Pairs>(rows_, offsets_, channels * p.kernel_size, interleaved_);
    }
    sweep_short_tiles<Isa, Vector, Pairs>(plan_, block, interleaved_, channel, channels);
  }

  // Copies the rows [first, first + count) of the group, for the outputs [time, time + times).
  void copy_input(const Storage* input, int64_t first, int64_t count, int64_t time, int64_t times) {
    const int64_t channel = first * plan_.row_channels;
    input += channel * plan_.problem.input_strides.channel;
    if constexpr (PairingVector<Vector>) {
      Scalar* const spare = rows_ + plan_.channel_block * plan_.rows.row_length;
      copy_pairs<Vector>(plan_, input, min(2 * count, group_in_ - channel), time, times, rows_, spare);
    } else {
      copy_rows<Vector>(plan_, input, count, time, times, rows_);
    }
  }

  char* workspace() const { return static_cast<char*>(operands_.workspace); }

  const DirectPlan& plan_;
  const ForwardOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const int64_t group_rows_;
  const int32_t* offsets_;
  Scalar* rows_;
  Scalar* partial_;
  Scalar* interleaved_;
  const Scalar* weight_;
  const Scalar* bias_;
};

template <class Isa, class Storage, class Vector>
void run_direct_tasks(const DirectPlan& plan, const ForwardOperands& operands, int64_t first_task, int64_t last_task,
                      int slot) {
  if constexpr (!PairingVector<Vector>) {
    using Scalar = ComputeType<Storage>;
    if (plan.depthwise_rows && plan.variant.wide_output) {
      return run_depthwise_rows<Vector, Storage, Scalar>(plan, operands, first_task, last_task, slot);
    }
    if (plan.depthwise_rows) {
      return run_depthwise_rows<Vector, Storage, Storage>(plan, operands, first_task, last_task, slot);
    }
  }
  DirectRunner<Isa, Storage, Vector> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Isa, class Storage, class Vector = typename Isa::template VectorOf<ComputeType<Storage>>::type>
constexpr DirectKernels direct_kernels_of() {
  return {&prepare_bias<Storage, DirectPlan>, &pack_tiles<Vector, Storage>, &run_direct_tasks<Isa, Storage, Vector>};
}

}  // namespace
}  // namespace tapconv::kernels
