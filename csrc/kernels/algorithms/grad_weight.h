// The weight gradient: rows are copied as for the forward sum, and the tiles of grad_weight_tile.h sweep over them.
//
// Loop order of a task: (sample, time block) outermost, since every block of rows and of grad_output is then read once;
// the sums of all its (channel, tap, output channel) triples stay in L2 from the first block to the last.
#pragma once

#include <utility>

#include "../kernel_table.h"
#include "../register_tiles.h"
#include "../rows.h"
#include "grad_weight_tile.h"
#include "tile_grid.h"

namespace tapconv::kernels {
namespace {

template <class Scalar>
using GradWeightTile = void (*)(const Scalar* rows, const int32_t* offsets, const Scalar* gradient,
                                ptrdiff_t gradient_stride, int64_t times, Scalar* sums, ptrdiff_t sums_stride);

template <class Vector, int Columns, int... Pairs>
GradWeightTile<typename Vector::Scalar> channel_lane_tile_of_pairs(int pairs, std::integer_sequence<int, Pairs...>) {
  static constexpr GradWeightTile<typename Vector::Scalar> tiles[] = {
      &channel_lane_tile<Vector, Pairs + 1, Columns>...};
  return tiles[pairs - 1];
}

template <class Isa, class Vector, int Columns = 1>
GradWeightTile<typename Vector::Scalar> channel_lane_tile_of(int columns, int pairs) {
  constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);
  if constexpr (Columns < tiles.columns) {
    if (columns != Columns) return channel_lane_tile_of<Isa, Vector, Columns + 1>(columns, pairs);
  }
  return channel_lane_tile_of_pairs<Vector, Columns>(
      pairs, std::make_integer_sequence<int, tiles.pairs_of_columns[Columns]>());
}

template <class Vector, int Rows, int... Pairs>
GradWeightTile<typename Vector::Scalar> time_lane_tile_of_pairs(int pairs, std::integer_sequence<int, Pairs...>) {
  static constexpr GradWeightTile<typename Vector::Scalar> tiles[] = {&time_lane_tile<Vector, Rows, Pairs + 1>...};
  return tiles[pairs - 1];
}

template <class Isa, class Vector, int Rows = 1>
GradWeightTile<typename Vector::Scalar> time_lane_tile_of(int rows, int pairs) {
  constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);
  if constexpr (Rows < tiles.rows) {
    if (rows != Rows) return time_lane_tile_of<Isa, Vector, Rows + 1>(rows, pairs);
  }
  return time_lane_tile_of_pairs<Vector, Rows>(pairs, std::make_integer_sequence<int, tiles.pairs_of_rows[Rows]>());
}

template <class Isa, class Storage>
class GradWeightRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  static constexpr bool same_type = sizeof(Storage) == sizeof(Scalar);
  static constexpr GradWeightTiles tiles = grad_weight_tiles(Isa::register_count);

 public:
  GradWeightRunner(const Plan& plan, const GradWeightOperands& operands, int slot)
      : plan_(plan),
        blocks_(plan.grad_weight),
        p_(plan.problem),
        operands_(operands),
        group_out_(p_.out_channels / p_.groups),
        group_in_(p_.in_channels / p_.groups) {
    char* const workspace = static_cast<char*>(operands.workspace);
    char* const own = workspace + plan.slots_at + static_cast<size_t>(slot) * plan.slot_bytes;
    offsets_ = reinterpret_cast<const int32_t*>(workspace + plan.offset_table_at);
    rows_ = reinterpret_cast<Scalar*>(own);
    gradient_ = reinterpret_cast<Scalar*>(own + blocks_.slot_gradient_at);
    sums_ = reinterpret_cast<Scalar*>(own + blocks_.slot_sums_at);
    bias_ = reinterpret_cast<Scalar*>(own + blocks_.slot_bias_at);
    parts_ = reinterpret_cast<Scalar*>(workspace + blocks_.parts_at);
    bias_parts_ = reinterpret_cast<Scalar*>(workspace + blocks_.bias_parts_at);
  }

  void run(int64_t task) {
    const int64_t channel_block = task % plan_.channel_block_count;
    task /= plan_.channel_block_count;
    const int64_t out_block = task % plan_.out_block_count;
    task /= plan_.out_block_count;
    const int64_t group = task % p_.groups;
    part_ = task / p_.groups;

    const int64_t first_channel = channel_block * plan_.channel_block;
    channels_ = smaller(plan_.channel_block, group_in_ - first_channel);
    const int64_t first_out = out_block * plan_.out_block;
    outs_ = smaller(plan_.out_block, group_out_ - first_out);
    pairs_ = channels_ * p_.kernel_size;
    first_pair_ = first_channel * p_.kernel_size;
    out_channel_ = group * group_out_ + first_out;
    with_bias_ = operands_.grad_bias != nullptr && channel_block == 0;
    if (with_bias_) {
      for (int64_t i = 0; i < round_up(outs_, width) * width; i += width) Vector::store(bias_ + i, Vector::zero());
    }
    const int64_t lanes_per_out = blocks_.channel_lanes ? 1 : width;
    sums_stride_ = blocks_.out_lanes * lanes_per_out;
    for (int64_t i = 0; i < pairs_ * sums_stride_; i += width) Vector::store(sums_ + i, Vector::zero());

    const Storage* const input =
        static_cast<const Storage*>(operands_.input) + (group * group_in_ + first_channel) * p_.input_strides.channel;
    const Storage* const grad_output =
        static_cast<const Storage*>(operands_.grad_output) + out_channel_ * p_.output_strides.channel;
    const Part steps = part_of(part_, blocks_.parts, blocks_.steps);
    for (int64_t step = steps.first; step < steps.first + steps.size; ++step) {
      const int64_t sample = step / plan_.time_block_count;
      const int64_t time = step % plan_.time_block_count * plan_.time_block;
      const int64_t count = smaller(plan_.time_block, p_.output_length - time);
      copy_rows<Vector>(plan_, input + sample * p_.input_strides.batch, channels_, time, count, rows_);
      const Storage* const block = grad_output + sample * p_.output_strides.batch + time * p_.output_strides.time;
      if (blocks_.channel_lanes) {
        add_with_channel_lanes(block, count);
      } else {
        add_with_time_lanes(block, count);
      }
    }
    if (!blocks_.channel_lanes) {
      add_lanes(sums_, pairs_ * blocks_.out_lanes);
      sums_stride_ = blocks_.out_lanes;
      if (with_bias_) add_lanes(bias_, outs_);
    }
    write_sums();
    if (with_bias_) write_bias();
  }

 private:
  void add_with_channel_lanes(const Storage* grad_output, int64_t count) {
    const int64_t vectors = (outs_ + width - 1) / width;
    const int64_t panels = (vectors + tiles.columns - 1) / tiles.columns;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const Part columns = part_of(panel, panels, vectors);
      const int64_t most_pairs = tiles.pairs_of_columns[columns.size];
      const int64_t pair_tiles = (pairs_ + most_pairs - 1) / most_pairs;
      const int64_t first_lane = columns.first * width;
      const int64_t stride = columns.size * width;
      for (int64_t time = 0; time < count; time += blocks_.gradient_block) {
        const int64_t times = smaller(blocks_.gradient_block, count - time);
        for (int column = 0; column < columns.size; ++column) {
          const int64_t lane = first_lane + column * width;
          transpose_gradient(grad_output + lane * p_.output_strides.channel + time * p_.output_strides.time,
                             static_cast<int>(smaller(width, outs_ - lane)), times, gradient_ + column * width, stride);
        }
        if (with_bias_) add_transposed_to_bias(times, stride, first_lane);
        for (int64_t tile = 0; tile < pair_tiles; ++tile) {
          const Part pairs = part_of(tile, pair_tiles, pairs_);
          channel_lane_tile_of<Isa, Vector>(columns.size, pairs.size)(
              rows_ + time, offsets_ + pairs.first, gradient_, stride, times,
              sums_ + pairs.first * sums_stride_ + first_lane, sums_stride_);
        }
      }
    }
  }

  void add_with_time_lanes(const Storage* grad_output, int64_t count) {
    const Scalar* gradient = gradient_;
    int64_t gradient_stride = round_up(plan_.time_block, width);
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
    const int64_t out_tiles = (outs_ + tiles.rows - 1) / tiles.rows;
    for (int64_t out_tile = 0; out_tile < out_tiles; ++out_tile) {
      const Part outs = part_of(out_tile, out_tiles, outs_);
      const int64_t most_pairs = tiles.pairs_of_rows[outs.size];
      const int64_t pair_tiles = (pairs_ + most_pairs - 1) / most_pairs;
      for (int64_t tile = 0; tile < pair_tiles; ++tile) {
        const Part pairs = part_of(tile, pair_tiles, pairs_);
        time_lane_tile_of<Isa, Vector>(outs.size, pairs.size)(
            rows_, offsets_ + pairs.first, gradient + outs.first * gradient_stride, gradient_stride, count,
            sums_ + pairs.first * sums_stride_ + outs.first * width, sums_stride_);
      }
    }
  }

  void copy_gradient(const Storage* from, int64_t count, Scalar* to) const {
    const int64_t distance = p_.output_strides.time;
    int64_t t = 0;
    if (distance == 1) {
      for (; t + width <= count; t += width) Vector::store(to + t, Vector::load(from + t));
    }
    for (; t < count; ++t) to[t] = widen(from[t * distance]);
  }

  // to[t][lane] = from[lane][t] for the first `lanes` lanes; the others become zero.
  void transpose_gradient(const Storage* from, int lanes, int64_t count, Scalar* to, int64_t to_stride) const {
    const int64_t distance = p_.output_strides.time;
    const int64_t channel = p_.output_strides.channel;
    if (distance != 1) {
      for (int64_t t = 0; t < count; ++t) {
        for (int lane = 0; lane < width; ++lane) {
          to[t * to_stride + lane] = lane < lanes ? widen(from[lane * channel + t * distance]) : Scalar(0);
        }
      }
      return;
    }
    for (int64_t t = 0; t < count; t += width) {
      const int times = static_cast<int>(smaller(width, count - t));
      Register block[width];
      for (int lane = 0; lane < width; ++lane) {
        if (lane >= lanes) {
          block[lane] = Vector::zero();
        } else if (times == width) {
          block[lane] = Vector::load(from + lane * channel + t);
        } else {
          block[lane] = Vector::load_partial(from + lane * channel + t, times);
        }
      }
      Vector::transpose(block);
      for (int i = 0; i < times; ++i) Vector::store(to + (t + i) * to_stride, block[i]);
    }
  }

  // Channel lanes: the bias gradient is one sum for each lane.
  void add_transposed_to_bias(int64_t times, int64_t stride, int64_t first_lane) {
    for (int64_t lane = 0; lane < stride; lane += width) {
      Register sum = Vector::zero();
      for (int64_t t = 0; t < times; ++t) sum = Vector::add(sum, Vector::load(gradient_ + t * stride + lane));
      Scalar* to = bias_ + first_lane + lane;
      Vector::store(to, Vector::add(Vector::load(to), sum));
    }
  }

  // Time lanes: a vector of sums for each output channel.
  static void add_row_to_bias(const Scalar* gradient, int64_t count, Scalar* to) {
    Register sum = Vector::zero();
    int64_t t = 0;
    for (; t + width <= count; t += width) sum = Vector::add(sum, Vector::load(gradient + t));
    if (t < count) sum = Vector::add(sum, Vector::load_partial(gradient + t, static_cast<int>(count - t)));
    Vector::store(to, Vector::add(Vector::load(to), sum));
  }

  void write_bias() {
    if (blocks_.parts > 1) {
      for (int64_t o = 0; o < outs_; ++o) bias_parts_[part_ * p_.out_channels + out_channel_ + o] = bias_[o];
      return;
    }
    Storage* const to = static_cast<Storage*>(operands_.grad_bias) + out_channel_;
    for (int64_t o = 0; o < outs_; ++o) narrow(bias_[o], &to[o]);
  }

  // Adds up the lanes of each of `count` sums, in place: [sum][lane] becomes [sum].
  void add_lanes(Scalar* sums, int64_t count) {
    for (int64_t first = 0; first < count; first += width) {
      const int here = static_cast<int>(smaller(width, count - first));
      Register block[width];
      for (int i = 0; i < width; ++i) {
        block[i] = i < here ? Vector::load(sums + (first + i) * width) : Vector::zero();
      }
      Vector::transpose(block);
      for (int step = width / 2; step > 0; step /= 2) {
        for (int i = 0; i < step; ++i) block[i] = Vector::add(block[i], block[i + step]);
      }
      Vector::store_partial(sums + first, block[0], here);
    }
  }

  void write_sums() {
    if (blocks_.parts > 1) {
      const int64_t row = group_in_ * p_.kernel_size;
      write_rows(parts_ + (part_ * p_.out_channels + out_channel_) * row + first_pair_, row);
      return;
    }
    const WeightStrides& strides = p_.weight_strides;
    Storage* const to = static_cast<Storage*>(operands_.grad_weight) + out_channel_ * strides.out_channel +
                        first_pair_ / p_.kernel_size * strides.in_channel;
    if (strides.tap == 1 && (channels_ == 1 || strides.in_channel == p_.kernel_size)) {
      write_rows(to, strides.out_channel);
      return;
    }
    for (int64_t o = 0; o < outs_; ++o) {
      for (int64_t pair = 0; pair < pairs_; ++pair) {
        const int64_t at = pair / p_.kernel_size * strides.in_channel + pair % p_.kernel_size * strides.tap;
        narrow(sums_[pair * sums_stride_ + o], &to[o * strides.out_channel + at]);
      }
    }
  }

  // to[out_channel][pair] = sums[pair][out_channel], transposed block by block.
  template <class To>
  void write_rows(To* to, int64_t to_stride) const {
    for (int64_t pair = 0; pair < pairs_; pair += width) {
      const int pairs = static_cast<int>(smaller(width, pairs_ - pair));
      for (int64_t o = 0; o < outs_; o += width) {
        const int outs = static_cast<int>(smaller(width, outs_ - o));
        Register block[width];
        for (int i = 0; i < width; ++i) {
          block[i] = i < pairs ? Vector::load_partial(sums_ + (pair + i) * sums_stride_ + o, outs) : Vector::zero();
        }
        Vector::transpose(block);
        for (int i = 0; i < outs; ++i) Vector::store_partial(to + (o + i) * to_stride + pair, block[i], pairs);
      }
    }
  }

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  const Plan& plan_;
  const GradWeightBlocks& blocks_;
  const Problem& p_;
  const GradWeightOperands& operands_;
  const int64_t group_out_;
  const int64_t group_in_;
  const int32_t* offsets_;
  Scalar* rows_;
  Scalar* gradient_;
  Scalar* sums_;
  Scalar* bias_;
  Scalar* parts_;
  Scalar* bias_parts_;
  // Of the task at hand.
  int64_t part_ = 0;
  bool with_bias_ = false;  // one task for each output channel also sums the gradient itself
  int64_t channels_ = 0;
  int64_t outs_ = 0;
  int64_t pairs_ = 0;
  int64_t first_pair_ = 0;
  int64_t out_channel_ = 0;
  int64_t sums_stride_ = 0;
};

template <class Isa, class Storage>
void run_grad_weight(const Plan& plan, const GradWeightOperands& operands, int64_t first_task, int64_t last_task,
                     int slot) {
  GradWeightRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first_task; task < last_task; ++task) runner.run(task);
}

template <class Storage>
void add_grad_weight_parts(const Plan& plan, const GradWeightOperands& operands, int64_t first, int64_t last) {
  using Scalar = ComputeType<Storage>;
  const Problem& p = plan.problem;
  const WeightStrides& strides = p.weight_strides;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t part_size = p.out_channels * group_in * p.kernel_size;
  const Scalar* const parts =
      reinterpret_cast<const Scalar*>(static_cast<const char*>(operands.workspace) + plan.grad_weight.parts_at);
  for (int64_t o = first; o < last; ++o) {
    for (int64_t c = 0; c < group_in; ++c) {
      for (int64_t k = 0; k < p.kernel_size; ++k) {
        const Scalar* from = parts + (o * group_in + c) * p.kernel_size + k;
        Scalar total = 0;
        for (int64_t part = 0; part < plan.grad_weight.parts; ++part) total += from[part * part_size];
        Storage* to = static_cast<Storage*>(operands.grad_weight) + o * strides.out_channel + c * strides.in_channel +
                      k * strides.tap;
        narrow(total, to);
      }
    }
    if (operands.grad_bias == nullptr) continue;
    const Scalar* bias =
        reinterpret_cast<const Scalar*>(static_cast<const char*>(operands.workspace) + plan.grad_weight.bias_parts_at);
    Scalar total = 0;
    for (int64_t part = 0; part < plan.grad_weight.parts; ++part) total += bias[part * p.out_channels + o];
    narrow(total, static_cast<Storage*>(operands.grad_bias) + o);
  }
}

template <class Isa, class Storage>
constexpr GradWeightKernels grad_weight_kernels() {
  return {&run_grad_weight<Isa, Storage>, &add_grad_weight_parts<Storage>};
}

}  // namespace
}  // namespace tapconv::kernels
