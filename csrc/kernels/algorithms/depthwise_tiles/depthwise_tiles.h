// Long depthwise filters by Fourier transforms. Lanes are output channels. The filter is cut into parts of half a
// transform, and the row into blocks that begin as far apart, so that the spectrum of one block serves every part: an
// output block is one inverse transform of the sum over all parts of (spectrum of block b + p) * (spectrum of part p).
// A filter of up to half a transform is one part. This is partitioned convolution as used for reverberation (Stockham
// 1966, Gardner 1995), with channels for lanes.
//
// Loop order: the spectra of the filter come first and serve all rows of a task. Then samples, phases of the dilation
// and blocks follow one another, so that each block is transformed once and stays in a ring of spectra as long as some
// part needs it. The register budget is that of spectrum.h.
#pragma once

#include "depthwise_inputs.h"
#include "depthwise_repair.h"
#include "depthwise_tile_plan.h"
#include "kernels/algorithms/tiles/tile_gather.h"
#include "kernels/core/integers.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/filter_kinds.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
class DepthwiseTileRunner {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;

 public:
  DepthwiseTileRunner(const DepthwiseTilePlan& plan, const ForwardOperands& operands, int slot)
      : plan_(plan),
        problem_(plan.problem),
        cut_(plan.depthwise),
        operands_(operands),
        functions_(spectrum_functions<Vector>(plan.depthwise.transform)),
        size_(shape_of(plan.depthwise.transform).size),
        own_(slot_memory(plan, workspace(), slot)),
        inputs_(plan, operands.input, own_),
        filters_(reinterpret_cast<Scalar*>(own_ + cut_.slot_filters_at)),
        sums_(reinterpret_cast<Scalar*>(own_ + cut_.slot_sums_at)),
        lanes_samples_(reinterpret_cast<Scalar*>(own_ + cut_.slot_lanes_at)),
        repair_(plan, operands, reinterpret_cast<Scalar*>(own_ + cut_.slot_repair_at)) {}

  // Computes a vector of channels, for a range of samples and a range of output blocks.
  void run(int64_t task) {
    lane_group_ = task % cut_.lane_groups;
    task /= cut_.lane_groups;
    const int64_t time_part = task % cut_.time_parts;
    const int64_t sample_part = task / cut_.time_parts;
    first_channel_ = lane_group_ * width;
    lanes_ = static_cast<int>(min(width, problem_.out_channels - first_channel_));
    inputs_.select_channels(first_channel_, lanes_);
    transform_filters();
    const int64_t first_block = time_part * cut_.blocks / cut_.time_parts;
    const int64_t last_block = (time_part + 1) * cut_.blocks / cut_.time_parts;
    for (int64_t n = sample_part * problem_.batch / cut_.sample_parts;
         n < (sample_part + 1) * problem_.batch / cut_.sample_parts; ++n) {
      for (int64_t phase = 0; phase < cut_.dilation_phases; ++phase) run_row(n, phase, first_block, last_block);
    }
  }

 private:
  void transform_filters() {
    Register squares = Vector::zero();
    for (int64_t part = 0; part < cut_.filter_parts; ++part) {
      const int64_t first = part * cut_.part_taps;
      const int64_t taps = min(cut_.part_taps, problem_.kernel_size - first);
      gather_taps(first, taps);
      squares = Vector::add(squares, square_sums<Vector>(lanes_samples_, taps * width));
      fill_zeros<Vector>(lanes_samples_ + taps * width, (size_ - taps) * width);
      Scalar* const filter = filters_ + part * inputs_.spectrum();
      functions_.forward(lanes_samples_, filter);
      finish_filter<Vector>(size_, filter);
    }
    Vector::store(squares_, squares);
  }

  // Copies taps [first, first + taps) of all lanes to [tap][lane].
  void gather_taps(int64_t first, int64_t taps) {
    const int64_t group_out = problem_.out_channels / problem_.groups;
    const int64_t distance = problem_.weight_strides.tap;
    const Storage* filters[width];
    for (int l = 0; l < width; ++l) {
      const int64_t o = first_channel_ + (l < lanes_ ? l : 0);
      filters[l] = static_cast<const Storage*>(operands_.weight) + o / group_out * plan_.variant.weight_group_stride +
                   o % group_out * problem_.weight_strides.out_channel + first * distance;
    }
    if (distance != 1 && distance != -1) {
      for (int64_t k = 0; k < taps; ++k) {
        for (int l = 0; l < width; ++l) lanes_samples_[k * width + l] = widen(filters[l][k * distance]);
      }
      return;
    }
    for (int64_t k = 0; k < taps; k += width) {
      const int count = static_cast<int>(min(width, taps - k));
      Register r[width];
      for (int l = 0; l < width; ++l) {
        r[l] = Vector::load_partial(filters[l] + (distance == 1 ? k : -(k + count - 1)), count);
      }
      Vector::transpose(r);
      for (int i = 0; i < count; ++i) {
        Vector::store(lanes_samples_ + (k + i) * width, r[distance == 1 ? i : count - 1 - i]);
      }
    }
  }

  void run_row(int64_t sample, int64_t phase, int64_t first_block, int64_t last_block) {
    inputs_.select_row(sample, phase, first_block);
    for (int64_t block = first_block; block < last_block; block += depthwise_tiles_together) {
      const int count = static_cast<int>(min(depthwise_tiles_together, last_block - block));
      inputs_.transform_up_to(block + count + cut_.filter_parts - 1);
      inputs_.multiply(block, filters_, cut_.filter_parts, sums_, count, false);
      for (int r = 0; r < count; ++r) write_block(sample, phase, block + r, sums_ + r * inputs_.spectrum());
    }
  }

  void write_block(int64_t sample, int64_t phase, int64_t block, Scalar* spectrum) {
    if (operands_.bias != nullptr) {
      const Storage* const bias = static_cast<const Storage*>(operands_.bias) + first_channel_;
      const Register constant = Vector::load_partial(bias, lanes_);
      Vector::store(spectrum, Vector::add(Vector::load(spectrum), constant));
    }
    functions_.inverse(spectrum, lanes_samples_);
    const int64_t first = block * cut_.outputs;
    const int64_t row_length = ceil_div(problem_.output_length - phase, cut_.dilation_phases);
    const int64_t count = min(cut_.outputs, row_length - first);
    if (count <= 0) return;
    if (plan_.variant.wide_output) {
      scatter(sample, phase, first, count, static_cast<Scalar*>(operands_.output));
      repair(sample, phase, block, count, static_cast<Scalar*>(operands_.output));
    } else {
      scatter(sample, phase, first, count, static_cast<Storage*>(operands_.output));
      repair(sample, phase, block, count, static_cast<Storage*>(operands_.output));
    }
  }

  template <class To>
  void scatter(int64_t sample, int64_t phase, int64_t first, int64_t count, To* output) {
    const ActivationStrides& strides = problem_.output_strides;
    const int64_t distance = strides.time * cut_.dilation_phases;
    To* const to = output + sample * strides.batch + first_channel_ * strides.channel +
                   (first * cut_.dilation_phases + phase) * strides.time;
    for (int64_t i = 0; i < count; i += width) {
      Register r[width];
      for (int j = 0; j < width; ++j) r[j] = Vector::load(lanes_samples_ + (i + j) * width);
      Vector::transpose(r);
      for (int l = 0; l < lanes_; ++l) {
        store_outputs<Vector>(to + l * strides.channel + i * distance, distance, r[l], count - i);
      }
    }
  }

  // Rewrites those of the block's outputs that its transforms must not compute.
  template <class To>
  void repair(int64_t sample, int64_t phase, int64_t block, int64_t count, To* output) {
    Scalar largest[width];
    Scalar seen[width];
    find_peaks(block, count, largest, seen);
    constexpr auto ratio = largest_ratio<Storage>(TileTransform::fourier8);
    const auto* const kinds = reinterpret_cast<const FilterKind*>(workspace() + cut_.kinds_at) + first_channel_;
    for (int l = 0; l < lanes_; ++l) {
      const bool fits = squares_[l] <= largest_square_sum<Scalar>;
      const bool uneven = largest[l] != 0 && is_uneven(largest[l], seen[l], ratio);
      if (fits && !uneven && kinds[l] == FilterKind::ordinary) continue;
      repair_.select({first_channel_ + l, sample, phase, block * cut_.outputs, count}, fits);
      if (!fits || kinds[l] == FilterKind::single_taps) {
        repair_.rewrite_all(fits && largest[l] <= largest_sample<Scalar>, output);
        continue;
      }
      if (uneven) repair_.rewrite_uneven(largest[l], ratio, output);
      if (kinds[l] == FilterKind::whole) repair_.rewrite_whole(output);
    }
  }

  // Finds for each lane the largest magnitude that the transforms behind a block's outputs hold, and one that is no
  // larger than the largest that any of these outputs sees.
  void find_peaks(int64_t block, int64_t count, Scalar* largest, Scalar* seen) const {
    const int64_t piece = inputs_.piece_length();
    const int64_t end = count + problem_.kernel_size - 1;  // of what the outputs see
    Register all = Vector::zero();
    Register common = Vector::zero();  // what every output sees
    Register least = Vector::broadcast(std::numeric_limits<Scalar>::max());
    for (int64_t part = 0; part < cut_.filter_parts; ++part) {
      const auto peaks = inputs_.peaks_of(block + part);
      all = Vector::larger_magnitude(all, peaks.all());
      const bool last = part + 1 == cut_.filter_parts;
      // The next block holds the rest of this one's samples again.
      const int64_t pieces = last ? inputs_.pieces() : cut_.outputs / piece;
      for (int64_t i = 0; i < pieces && part * cut_.outputs + (i + 1) * piece <= end; ++i) {
        const Register here = peaks.piece(i);
        least = Vector::smaller_magnitude(least, here);
        if (part > 0 && !last) common = Vector::larger_magnitude(common, here);
      }
    }
    Vector::store(largest, all);
    Vector::store(seen, Vector::larger_magnitude(common, least));
  }

  char* workspace() const { return static_cast<char*>(operands_.workspace); }

  const DepthwiseTilePlan& plan_;
  const Problem& problem_;
  const DepthwiseTiles& cut_;
  const ForwardOperands& operands_;
  const SpectrumFunctions<Scalar>& functions_;
  const int size_;
  char* const own_;
  DepthwiseInputs<Vector, Storage> inputs_;
  Scalar* const filters_;        // [part] spectra
  Scalar* const sums_;           // spectra of some output blocks
  Scalar* const lanes_samples_;  // [sample][lane] of a part of the filter, then of outputs
  DepthwiseRepair<Vector, Storage> repair_;
  Scalar squares_[width] = {};  // for each lane, the sum of the squares of its taps
  int64_t lane_group_ = 0;
  int64_t first_channel_ = 0;
  int lanes_ = 0;
};

template <class Isa, class Storage>
void run_depthwise_tiles(const DepthwiseTilePlan& plan, const ForwardOperands& operands, int64_t first, int64_t last,
                         int slot) {
  DepthwiseTileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first; task < last; ++task) runner.run(task);
}

}  // namespace
}  // namespace tapconv::kernels
