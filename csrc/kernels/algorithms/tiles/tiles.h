// Convolution by tiles: rows are cut into overlapping tiles, tiles and filters are transformed (transforms.h), and the
// convolution becomes one matrix product of (output channels x input channels) with (input channels x tiles) for each
// product of the transform. Those are direct sums with one tap, which direct/register_tile.h computes, whose register
// budget holds here.
//
// Tiles are numbered through the phases of the dilation (outputs t, t + dilation, ... form an undilated row of their
// own), then along the row, then through the samples. Loop order: a block of tiles is transformed for all input
// channels, then multiplied and transformed back for one block of output channels after the other, so that transformed
// tiles and sums stay in L2.
#pragma once

#include "kernels/algorithms/direct/direct.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/algorithms/transforms/transforms.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/rows/rows.h"
#include "kernels/rows/write_output.h"
#include "tile_filter_lanes.h"
#include "tile_filters.h"
#include "tile_gather.h"
#include "tile_peaks.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class TileRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  using Peaks = TilePeaks<Vector, Storage>;
  static constexpr int width = Vector::width;

 public:
  TileRunner(const TilePlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        problem_(plan.problem),
        blocks_(plan.tiles),
        operands_(operands),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        transform_(transform_functions<Vector>(plan.tiles.transform)),
        products_(shape_of(plan.tiles.transform).products),
        slot_(slot) {
    char* const own = slot_memory(plan, workspace(), slot);
    inputs_ = reinterpret_cast<Scalar*>(own + blocks_.slot_inputs_at);
    outputs_ = reinterpret_cast<Scalar*>(own + blocks_.slot_outputs_at);
    weight_ = reinterpret_cast<Scalar*>(own + blocks_.slot_weight_at);
    samples_ = reinterpret_cast<Scalar*>(own + blocks_.slot_samples_at);
    rows_ = reinterpret_cast<Scalar*>(own + blocks_.slot_rows_at);
    offsets_ = reinterpret_cast<const int32_t*>(workspace() + plan.offset_table_at);
    bias_ = operands.bias == nullptr ? nullptr : reinterpret_cast<const Scalar*>(workspace() + plan.bias_at);
  }

  void locate(int64_t block) { lanes_.locate(plan_, plan_.tiles, block, width); }

  // Transforms the filters of register tile `unit`, counted over all groups, ahead for all blocks of tiles.
  void transform_weight_ahead(int64_t unit) {
    const int64_t group = unit / plan_.tile_row_count;
    const int64_t tile = unit % plan_.tile_row_count;
    transform_filters<Vector, Storage>(plan_, operands_, group, tile, {0, group_in_}, filters_from(group, tile),
                                       samples_);
  }

  void bring_filters_into_lanes(int64_t vector) {
    bring_into_lanes<Vector, Storage>(plan_, operands_, vector, samples_);
  }

  // Does everything for one block of tiles and one group.
  void run(int64_t task) {
    const int64_t group = task / blocks_.block_count;
    locate(task % blocks_.block_count);
    Peaks peaks = peaks_of(slot_, group);
    peaks.clear(lanes_);
    for (int64_t first = 0; first < group_in_; first += blocks_.channels_at_a_time) {
      const int64_t last = min(first + blocks_.channels_at_a_time, group_in_);
      transform_inputs(group, first, last, {inputs_, first, last - first}, peaks);
      // Where the direct sum computes every tile of the block, products would be thrown away.
      if (last == group_in_ && !peaks.flag_tiles(lanes_, flags_of(group), spare_rows())) return;
      for (int64_t out_block = 0; out_block < plan_.out_block_count; ++out_block) {
        multiply(out_block, first, last, {inputs_, first, last - first}, filters_from(group, first_tile(out_block)));
        if (last == group_in_) transform_outputs(group, out_block);
      }
    }
  }

  // Transforms input channels of the tiles that all slots share, counted over all groups by those whose tiles share a
  // vector.
  void transform_shared_inputs(int64_t first, int64_t last) {
    first *= blocks_.channels_together;
    last *= blocks_.channels_together;
    while (first < last) {
      const int64_t group = first / group_in_;
      const int64_t end = min((group + 1) * group_in_, last);
      const int64_t channel = first - group * group_in_;
      Peaks peaks = peaks_of(slot_, group);
      char& has_peaks = has_peaks_of(slot_, group);
      if (has_peaks == 0) peaks.clear(lanes_);
      has_peaks = 1;
      transform_inputs(group, channel, end - group * group_in_, shared_inputs(group), peaks);
      first = end;
    }
  }

  // Raises the flags of the shared tiles of a group from what all slots saw of its input channels.
  void flag_shared_tiles(int64_t group) {
    Peaks all = peaks_of(slot_, group);
    if (has_peaks_of(slot_, group) == 0) all.clear(lanes_);
    for (int slot = 0; slot < plan_.slots; ++slot) {
      if (slot != slot_ && has_peaks_of(slot, group) != 0) all.add(lanes_, peaks_of(slot, group));
      has_peaks_of(slot, group) = 0;
    }
    all.flag_tiles(lanes_, flags_of(group), spare_rows());
  }

  // Computes a block of output channels for the tiles that all slots share.
  void multiply_shared(int64_t task) {
    const int64_t group = task / plan_.out_block_count;
    const int64_t out_block = task % plan_.out_block_count;
    const int64_t first = first_tile(out_block);
    if (has_filter_lanes(blocks_)) {
      for (int64_t panel = first; panel < first_tile(out_block + 1); ++panel) multiply_panel(group, panel);
      return;
    }
    if (!plan_.packed_ahead) {
      for (int64_t tile = first; tile < first_tile(out_block + 1); ++tile) {
        transform_filters<Vector, Storage>(plan_, operands_, group, tile, {0, group_in_},
                                           weight_ + (tile - first) * blocks_.weight_tile, samples_);
      }
    }
    const Scalar* const filters = plan_.packed_ahead ? filters_from(group, first) : weight_;
    for (int64_t channel = 0; channel < group_in_; channel += blocks_.channels_at_a_time) {
      const int64_t end = min(channel + blocks_.channels_at_a_time, group_in_);
      multiply(out_block, channel, end, shared_inputs(group), filters);
    }
    transform_outputs(group, out_block);
  }

 private:
  // Does everything for one panel of output channels and the tiles that all slots share.
  void multiply_panel(int64_t group, int64_t number) {
    const Share panel = panel_of(number, plan_.tile_row_count, group_out_, width);
    const FilterLanes<Isa, Vector> lanes(plan_, lanes_, offsets_, outputs_, samples_);
    for (int64_t channel = 0; channel < group_in_; channel += plan_.channel_block) {
      const int64_t end = min(channel + plan_.channel_block, group_in_);
      Scalar* const filters = plan_.packed_ahead ? filters_from(group, number) + channel * plan_.tile_rows : weight_;
      if (!plan_.packed_ahead) {
        transform_filters<Vector, Storage>(plan_, operands_, group, number, {channel, end}, filters, samples_);
      }
      lanes.multiply(panel, channel, end, shared_inputs(group).tiles + channel * blocks_.block_tiles, filters);
    }
    const int64_t channel = group * group_out_ + panel.first;
    const Scalar* const bias = bias_ == nullptr ? nullptr : bias_ + channel;
    const int64_t at = channel * problem_.output_strides.channel;
    if (plan_.variant.wide_output) {
      lanes.transform_outputs(panel, bias, static_cast<Scalar*>(operands_.output) + at);
    } else {
      lanes.transform_outputs(panel, bias, static_cast<Storage*>(operands_.output) + at);
    }
  }

  // Inputs are transformed tiles of some input channels of a group, [product][segment][channel][tile].
  struct Inputs {
    Scalar* tiles;
    int64_t first;  // channel
    int64_t count;
  };

  // Transforms channels [first, last) of the group.
  void transform_inputs(int64_t group, int64_t first, int64_t last, const Inputs& inputs, Peaks& peaks) {
    const ActivationStrides& strides = problem_.input_strides;
    const Storage* channel =
        static_cast<const Storage*>(operands_.input) + (group * group_in_ + first) * strides.channel;
    const int64_t together = blocks_.channels_together;
    for (int64_t c = first; c < last; c += together, channel += together * strides.channel) {
      if (c + together < last && strides.time == 1) {
        for (int64_t i = 0; i < together; ++i) prefetch_inputs(channel + (together + i) * strides.channel);
      }
      for (int64_t s = 0; s < plan_.rows.segment_count; ++s) {
        Scalar* const to = inputs.tiles + (s * inputs.count + c - inputs.first) * blocks_.block_tiles;
        Scalar* const to_last =
            s < blocks_.last_product_segments ? to + (products_ - 1) * blocks_.input_plane : nullptr;
        for (int64_t i = 0; i < together; ++i) {
          Scalar* const row = rows_ + i * blocks_.row_distance;
          copy_tile_row<Vector>(problem_, lanes_, channel + i * strides.channel, s, row);
          peaks.add(lanes_, s, row);
        }
        for (int lane = 0; lane < lanes_.count; lane += width) {
          gather(lane);
          transform_.input(samples_, to + lane, blocks_.input_plane, to_last != nullptr ? to_last + lane : nullptr);
        }
      }
    }
  }

  void gather(int lane) {
    const int size = shape_of(blocks_.transform).size;
    if (blocks_.dilation_phases > 1) {
      gather_phases<Vector>(lanes_, lane, rows_, blocks_.dilation_phases, size, samples_);
    } else if (blocks_.channels_together > 1) {
      gather_channels<Vector>(lanes_, blocks_.block_tiles, rows_, blocks_.row_distance, size, samples_);
    } else {
      gather_tiles<Vector>(lanes_, lane, rows_, size, samples_);
    }
  }

  // The next channel begins far from this one, where no hardware prefetcher looks.
  void prefetch_inputs(const Storage* channel) const {
    constexpr int64_t line = 64 / sizeof(Storage);
    for (int r = 0; r < lanes_.run_count; ++r) {
      const TileRun& run = lanes_.runs[r];
      const int64_t position = run.first * problem_.stride - problem_.padding_left;
      const int64_t begin = max(position, 0);
      const int64_t end = min(position + run.count * problem_.stride, problem_.input_length);
      const Storage* const samples = channel + run.sample * problem_.input_strides.batch;
      for (int64_t i = begin; i < end; i += line) __builtin_prefetch(samples + i);
    }
  }

  // Adds up the channels [first, last) of the group after those before them, one segment after the other.
  void multiply(int64_t out_block, int64_t first_channel, int64_t last_channel, const Inputs& inputs,
                const Scalar* weight) {
    constexpr RegisterTiles tiles = register_tiles(Isa::register_count);
    const int64_t vectors = ceil_div(lanes_.count, width);
    const int64_t max_columns = tiles.columns[plan_.tile_rows];
    const int64_t column_tiles = ceil_div(vectors, max_columns);
    const int64_t first = first_tile(out_block);
    const int64_t last = first_tile(out_block + 1);
    const int64_t block_out = first_out(first);
    const bool all = last_channel - first_channel == group_in_;  // then segments adjoin
    TileCall<Scalar> call;
    call.offsets = offsets_;
    call.bias = nullptr;
    call.output_stride = blocks_.block_tiles;
    call.last_count = width;
    for (int q = 0; q < products_; ++q, weight += blocks_.weight_plane) {
      const int64_t segments = q + 1 < products_ ? plan_.rows.segment_count : blocks_.last_product_segments;
      const int64_t runs = all ? 1 : segments;
      const int64_t end = all ? segments * group_in_ : last_channel;
      const bool prefetches = plan_.packed_ahead && q + 1 < products_;
      const int64_t first_row = (first_channel - inputs.first) * blocks_.block_tiles;
      const Scalar* const product_inputs = inputs.tiles + q * blocks_.input_plane;
      for (int64_t column_tile = 0; column_tile < column_tiles; ++column_tile) {
        const Share columns = share_of(column_tile, column_tiles, vectors);
        const int64_t lane = columns.first * width;
        for (int64_t s = 0; s < runs; ++s) {
          for (int64_t channel = first_channel; channel < end; channel += plan_.channel_block) {
            call.rows = product_inputs + (s * inputs.count + channel - inputs.first) * blocks_.block_tiles + lane;
            call.pair_count = min(plan_.channel_block, end - channel);
            call.accumulate = s > 0 || channel > 0;
            const bool ends = channel + plan_.channel_block >= end;
            const Scalar* const next = !ends ? call.rows + plan_.channel_block * blocks_.block_tiles
                                       : column_tile + 1 < column_tiles
                                           ? product_inputs + first_row + lane + columns.size * width
                                           : product_inputs + blocks_.input_plane + first_row;
            for (int64_t tile = first; tile < last; ++tile) {
              const Share part = share_of(tile, plan_.tile_row_count, group_out_);
              call.weight = weight + (tile - first) * blocks_.weight_tile + (s * group_in_ + channel) * part.size;
              call.weight_stride = part.size;
              if (prefetches && column_tile == 0) {
                prefetch_filters(call.weight + blocks_.weight_plane, call.pair_count * part.size);
              }
              if (shares_tiles(blocks_)) {
                const Share rows = share_of(tile - first, last - first, call.pair_count);
                prefetch_rows(next + rows.first * blocks_.block_tiles, rows.size, columns.size * width);
              }
              call.output = outputs_ + q * blocks_.output_plane + (part.first - block_out) * blocks_.block_tiles + lane;
              tile_of<Isa, Vector, true>(part.size, columns.size)(call);
            }
          }
        }
      }
    }
  }

  // Tiles that slots share lie beyond the second-level cache, in pieces of one column of register tiles. Those of the
  // next call come closer while this one multiplies.
  void prefetch_rows(const Scalar* row, int count, int64_t tiles) const {
    constexpr int64_t line = 64 / sizeof(Scalar);
    for (int i = 0; i < count; ++i, row += blocks_.block_tiles) {
      for (int64_t t = 0; t < tiles; t += line) __builtin_prefetch(row + t, 0, 2);
    }
  }

  void transform_outputs(int64_t group, int64_t out_block) {
    if (plan_.variant.wide_output) {
      transform_outputs(group, out_block, static_cast<Scalar*>(operands_.output));
    } else {
      transform_outputs(group, out_block, static_cast<Storage*>(operands_.output));
    }
  }

  template <class To>
  void transform_outputs(int64_t group, int64_t out_block, To* output) {
    const int64_t first = first_out(first_tile(out_block));
    const int64_t last = first_out(first_tile(out_block + 1));
    for (int64_t o = first; o < last; ++o) {
      const int64_t channel = group * group_out_ + o;
      To* const to = output + channel * problem_.output_strides.channel;
      if (!writes_in_order(problem_, plan_.variant)) {
        transform_spread(outputs_ + (o - first) * blocks_.block_tiles, channel, output);
        continue;
      }
      const Scalar bias = bias_ == nullptr ? Scalar(0) : bias_[channel];
      for (int lane = 0; lane < lanes_.count; lane += width) {
        if (problem_.output_strides.time == 1) {
          prefetch_outputs(lanes_, lane, width, blocks_.outputs, blocks_.dilation_phases, to);
        }
        transform_.output(outputs_ + (o - first) * blocks_.block_tiles + lane, blocks_.output_plane, bias, samples_);
        if (blocks_.dilation_phases == 1) {
          scatter_tiles<Vector>(lanes_, lane, samples_, blocks_.outputs, problem_.output_strides.time, to);
        } else {
          scatter_phases<Vector>(lanes_, lane, samples_, blocks_.outputs, blocks_.dilation_phases,
                                 problem_.output_strides.time, to);
        }
      }
    }
  }

  // Writes an output channel whose sums go between those of other phases. They are put in order in the buffer of rows
  // first.
  template <class To>
  void transform_spread(const Scalar* outputs, int64_t channel, To* output) {
    for (int lane = 0; lane < lanes_.count; lane += width) {
      transform_.output(outputs + lane, blocks_.output_plane, Scalar(0), samples_);
      scatter_tiles<Vector>(lanes_, lane, samples_, blocks_.outputs, 1, rows_);
    }
    for (int r = 0; r < lanes_.run_count; ++r) {
      const TileRun& run = lanes_.runs[r];
      const int64_t count = min(run.count - (blocks_.taps - 1), problem_.output_length - run.first);
      write_sums<Vector>(plan_, {rows_ + run.at, 0, channel, 1, run.first, count}, run.sample, output);
    }
  }

  int64_t first_tile(int64_t out_block) const { return min(out_block * plan_.out_block, plan_.tile_row_count); }
  int64_t first_out(int64_t tile) const { return share_of(tile, plan_.tile_row_count, group_out_).first; }
  // Returns the filters of all register tiles of a group, from this one on.
  Scalar* filters_from(int64_t group, int64_t tile) const {
    return static_cast<Scalar*>(operands_.packed_weight) + group * products_ * blocks_.weight_plane +
           tile * blocks_.weight_tile;
  }
  Inputs shared_inputs(int64_t group) const {
    return {reinterpret_cast<Scalar*>(workspace() + blocks_.shared_at) +
                group % blocks_.shared_groups * products_ * blocks_.input_plane,
            0, group_in_};
  }
  // Returns what the slot has seen. The peaks of the shared groups lie group by group; a task of its own sees one.
  Peaks peaks_of(int slot, int64_t group) const {
    char* const own = slot_memory(plan_, workspace(), slot);
    Scalar* const rows = reinterpret_cast<Scalar*>(own + blocks_.slot_peaks_at);
    return {plan_, rows + group % blocks_.shared_groups * 2 * peak_kinds(plan_) * blocks_.row_distance,
            filter_kinds()[problem_.out_channels + group] == FilterKind::whole};
  }
  Scalar* spare_rows() const {
    char* const own = slot_memory(plan_, workspace(), slot_);
    return reinterpret_cast<Scalar*>(own + blocks_.slot_peaks_at) +
           blocks_.shared_groups * 2 * peak_kinds(plan_) * blocks_.row_distance;
  }
  char& has_peaks_of(int slot, int64_t group) const {
    return workspace()[blocks_.peaks_at + slot * blocks_.shared_groups + group % blocks_.shared_groups];
  }
  char* flags_of(int64_t group) const {
    return workspace() + blocks_.flags_at + 1 + group * problem_.batch * blocks_.tiles_per_phase;
  }
  const FilterKind* filter_kinds() const { return reinterpret_cast<const FilterKind*>(workspace() + blocks_.kinds_at); }
  char* workspace() const { return static_cast<char*>(operands_.workspace); }

  const TilePlan& plan_;
  const Problem& problem_;
  const TileBlocks& blocks_;
  const ForwardOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const TransformFunctions<Scalar>& transform_;
  const int products_;
  int slot_;
  Scalar* inputs_;   // as in Inputs
  Scalar* outputs_;  // [product][output channel][tile]
  Scalar* weight_;   // of a block of output channels, transformed where it is used
  Scalar* samples_;  // [sample][lane]
  Scalar* rows_;
  const int32_t* offsets_;
  const Scalar* bias_;
  TileLanes lanes_;
};

}  // namespace
}  // namespace tapconv::kernels
