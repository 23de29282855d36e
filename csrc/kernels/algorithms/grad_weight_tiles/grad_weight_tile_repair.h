// Some products of the weight gradient must not be computed by a transform (seen_peaks.h): those of a tile of one input
// channel in which some tap sees little beside the largest sample. Such a tile is left out of the transform, as zeros,
// and its products with the gradients of its outputs are added up directly, in time order, with output channels in the
// lanes. Register budget: four sums, one gradient and the broadcast samples. Four taps are summed at a time, so that
// each gradient is loaded once for four multiply-adds.
#pragma once

#include "grad_weight_tile_plan.h"
#include "kernels/algorithms/grad_weight/grad_weight_sums.h"
#include "kernels/algorithms/tiles/tile_gather.h"
#include "kernels/algorithms/transforms/seen_peaks.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

template <class Vector, class Storage>
class GradWeightTileRepair {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  static constexpr int taps_together = 4;

 public:
  GradWeightTileRepair(const GradWeightTilePlan& plan, char* slot)
      : plan_(plan),
        cut_(plan.tiles),
        p_(plan.problem),
        size_(shape_of(plan.tiles.transform).size),
        sums_(reinterpret_cast<Scalar*>(slot + plan.grad_weight.slot_repaired_at)),
        row_(reinterpret_cast<Scalar*>(slot + plan.tiles.slot_peaks_at)),
        left_out_(slot + plan.grad_weight.slot_left_out_at) {
    // Taps see at least half of a tile's samples, or else as many as there are outputs: in either case a whole piece of
    // half of that.
    piece_ = 1;
    while (2 * piece_ <= (cut_.outputs + 1) / 2) piece_ *= 2;
  }

  void begin_task() { has_sums_ = false; }
  void begin_block() { any_left_out_ = false; }

  // Looks at a vector of tiles of one segment of a channel, samples [sample][lane], and replaces those of tiles to be
  // left out by zeros. `number` counts the segments of all channels of the task.
  void leave_out(const TileLanes& lanes, int64_t number, int64_t segment, int lane, Scalar* samples) {
    Scalar largest[width];
    Scalar seen[width];
    find_peaks(segment, samples, largest, seen);
    char* const left_out = left_out_ + number * cut_.block_tiles;
    for (int l = 0; l < width; ++l) {
      char& flag = left_out[lane + l];
      flag = 0;
      if (lane + l >= lanes.count || largest[l] == 0) continue;
      const int64_t times = times_of(lanes, lane + l);
      if (times == cut_.outputs && !is_uneven(largest[l], seen[l], ratio)) continue;
      if (is_even(samples + l, taps_of(segment), times, largest[l])) continue;
      for (int i = 0; i < size_; ++i) samples[i * width + l] = 0;
      flag = 1;
      any_left_out_ = true;
    }
  }

  bool any_left_out() const { return any_left_out_; }

  // Adds the products of all tiles that were left out of the block, for a vector of output channels from `out` on.
  // `gradients` are those of these channels, [element of the rows][lane].
  void add_products(const TileLanes& lanes, const GradWeightTask& task, const Storage* input, int64_t out,
                    const Scalar* gradients) {
    if (!has_sums_) zero_sums<Vector>(sums_, task.pairs * plan_.grad_weight.out_lanes);
    has_sums_ = true;
    const int64_t segments = plan_.rows.segment_count;
    for (int64_t number = 0; number < task.channels * segments; ++number) {
      const char* const left_out = left_out_ + number * cut_.block_tiles;
      const Storage* const channel = input + number / segments * p_.input_strides.channel;
      bool have_row = false;
      for (int lane = 0; lane < lanes.count; ++lane) {
        if (left_out[lane] == 0) continue;
        if (!have_row) copy_tile_row<Vector>(p_, lanes, channel, number % segments, row_);
        have_row = true;
        add_tile(lanes, lane, number, gradients, out);
      }
    }
  }

  // Adds them to sums [pair][output channel] of the task.
  void add_sums(const GradWeightTask& task, Scalar* sums) const {
    if (!has_sums_) return;
    for (int64_t i = 0; i < task.pairs * plan_.grad_weight.out_lanes; i += width) {
      Vector::store(sums + i, Vector::add(Vector::load(sums + i), Vector::load(sums_ + i)));
    }
  }

 private:
  static constexpr Scalar ratio = largest_ratio<Storage>(TileTransform::fourier8);

  int64_t taps_of(int64_t segment) const { return ceil_div(p_.kernel_size - segment, plan_.rows.segment_count); }
  int64_t times_of(const TileLanes& lanes, int lane) const {
    return min(cut_.outputs, ceil_div(lanes.left[lane], cut_.dilation_phases));
  }

  // Finds for each lane the largest magnitude, and one that is no larger than the largest that any tap sees.
  void find_peaks(int64_t segment, const Scalar* samples, Scalar* largest, Scalar* seen) const {
    const int64_t end = taps_of(segment) + cut_.outputs - 1;
    Register all = Vector::zero();
    Register least = Vector::broadcast(largest_sample<Scalar>);
    for (int64_t first = 0; first < size_; first += piece_) {
      Register here = Vector::zero();
      for (int64_t i = first; i < first + piece_; ++i) {
        here = Vector::larger_magnitude(here, Vector::load(samples + i * width));
      }
      all = Vector::larger_magnitude(all, here);
      if (first + piece_ <= end) least = Vector::smaller_magnitude(least, here);
    }
    Vector::store(largest, all);
    Vector::store(seen, least);
  }

  // Looks at one lane, tap by tap.
  bool is_even(const Scalar* samples, int64_t taps, int64_t times, Scalar largest) {
    for (int64_t i = 0; i < size_ + width; ++i) row_[i] = 0;
    for (int64_t i = 0; i < size_; ++i) row_[i] = samples[i * width] < 0 ? -samples[i * width] : samples[i * width];
    slide_peaks<Vector>(row_, size_, times, 1);
    return !is_uneven(largest, smallest_of<Vector>(row_, taps), ratio);
  }

  // Adds the tile in one lane, for all taps of its segment.
  void add_tile(const TileLanes& lanes, int lane, int64_t number, const Scalar* gradients, int64_t out) {
    const int64_t segments = plan_.rows.segment_count;
    const int64_t segment = number % segments;
    const int64_t first_pair = number / segments * p_.kernel_size + segment;
    const int64_t taps = taps_of(segment);
    const int64_t times = times_of(lanes, lane);
    const int64_t apart = cut_.dilation_phases;
    const Scalar* const row = row_ + lanes.row_at[lane];
    const Scalar* const gradient = gradients + int64_t(lanes.row_at[lane]) * width;
    for (int64_t k = 0; k < taps; k += taps_together) {
      const int64_t count = min(taps_together, taps - k);
      Register sums[taps_together];
      for (Register& sum : sums) sum = Vector::zero();
      for (int64_t t = 0; t < times; ++t) {
        const Register here = Vector::load(gradient + t * apart * width);
#pragma GCC unroll 4
        for (int i = 0; i < taps_together; ++i) {
          const int64_t tap = i < count ? k + i : k;
          sums[i] = Vector::multiply_add(Vector::broadcast(row[(tap + t) * apart]), here, sums[i]);
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        Scalar* const to = sums_ + (first_pair + (k + i) * segments) * plan_.grad_weight.out_lanes + out;
        Vector::store(to, Vector::add(Vector::load(to), sums[i]));
      }
    }
  }

  const GradWeightTilePlan& plan_;
  const TileBlocks& cut_;
  const Problem& p_;
  const int size_;
  Scalar* const sums_;    // [pair][output channel]
  Scalar* const row_;     // of a segment of a channel
  char* const left_out_;  // [channel][segment][tile]
  int64_t piece_;
  bool has_sums_ = false;
  bool any_left_out_ = false;
};

}  // namespace
}  // namespace tapconv::kernels
