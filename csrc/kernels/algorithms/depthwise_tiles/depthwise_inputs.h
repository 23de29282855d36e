// The spectra of the input of long depthwise filters, and their sums of products. Lanes are output channels. A row is
// cut into blocks that overlap: block b begins at element b * outputs and holds one transform's samples. As filter
// parts are as far apart as blocks are, the spectrum of block b + p is what part p of the filter meets in output block
// b.
//
// Where all output channels of a vector belong to one group they read one row, and every lane would hold the same
// spectrum. Then lanes of a spectrum are blocks instead, and products take one lane of it.
#pragma once

#include "depthwise_peaks.h"
#include "depthwise_tile_plan.h"
#include "kernels/algorithms/tiles/tile_gather.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/rows/rows.h"
#include "spectrum.h"

namespace tapconv::kernels {
namespace {

template <class Vector, class Storage>
class DepthwiseInputs {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  static constexpr int together = depthwise_tiles_together;

 public:
  DepthwiseInputs(const DepthwiseTilePlan& plan, const void* input, char* slot)
      : problem_(plan.problem),
        cut_(plan.depthwise),
        input_(static_cast<const Storage*>(input)),
        functions_(spectrum_functions<Vector>(plan.depthwise.transform)),
        size_(shape_of(plan.depthwise.transform).size),
        row_problem_(plan.problem),
        ring_(reinterpret_cast<Scalar*>(slot + cut_.slot_inputs_at)),
        peaks_(plan.depthwise, reinterpret_cast<Scalar*>(slot + cut_.slot_peaks_at)),
        samples_(reinterpret_cast<Scalar*>(slot + cut_.slot_samples_at)),
        rows_(reinterpret_cast<Scalar*>(slot + cut_.slot_rows_at)),
        pointers_(reinterpret_cast<const Scalar**>(slot + cut_.slot_pointers_at)) {
    row_problem_.stride = problem_.dilation;  // neighbours in the row of one phase
  }

  // Selects output channels [first, first + lanes).
  void select_channels(int64_t first, int lanes) {
    first_channel_ = first;
    lanes_ = lanes;
    one_row_ = group_of(first) == group_of(first + lanes - 1);
  }

  // Selects the row of one sample and one phase of the dilation. Its blocks are to follow in order, from `first_block`
  // on.
  void select_row(int64_t sample, int64_t phase, int64_t first_block) {
    sample_ = sample;
    phase_ = phase;
    first_block_ = next_block_ = first_block;
    have_samples_ = false;
  }

  // Transforms all blocks up to `end` that are not transformed yet.
  void transform_up_to(int64_t end) {
    if (one_row_) {
      for (; next_block_ < end; next_block_ += width) transform_one_row();
      return;
    }
    for (; next_block_ < end; ++next_block_) transform(next_block_);
  }

  // Gives the largest magnitudes of a block in the ring, lane by lane: of all its samples, and of pieces of them.
  class BlockPeaks {
   public:
    Register all() const { return load(all_); }
    Register piece(int64_t i) const { return load(pieces_ + i * width); }

   private:
    friend class DepthwiseInputs;
    BlockPeaks(const Scalar* all, const Scalar* pieces, bool one_lane)
        : all_(all), pieces_(pieces), one_lane_(one_lane) {}
    Register load(const Scalar* from) const { return one_lane_ ? Vector::broadcast(*from) : Vector::load(from); }

    const Scalar* all_;
    const Scalar* pieces_;
    bool one_lane_;
  };
  BlockPeaks peaks_of(int64_t block) const {
    const int64_t entry = entry_of(block);
    const int64_t lane = lane_of(block);
    return {peaks_.all(entry) + lane, peaks_.piece(entry, 0) + lane, one_row_};
  }
  int64_t piece_length() const { return peaks_.piece_length(); }
  int64_t pieces() const { return peaks_.pieces(); }

  // Sets sums[r] to the sum over p of (spectrum of block first + r + p) * filters[p], or adds it if `accumulate` says
  // so.
  void multiply(int64_t first, const Scalar* filters, int64_t filter_count, Scalar* sums, int sum_count,
                bool accumulate) {
    // Parts of the filter that meet only padding are left out.
    int64_t begin = 0;
    int64_t end = filter_count;
    while (begin < end && all_padding(first + begin, sum_count)) ++begin;
    while (begin < end && all_padding(first + end - 1, sum_count)) --end;
    if (accumulate && begin == end) return;
    for (int64_t i = 0; i < end - begin + sum_count - 1; ++i) {
      pointers_[i] = spectrum_of(first + begin + i);
    }
    static constexpr void (*multiply_some[2][together])(int, const Scalar* const*, const Scalar*, int64_t, Scalar*,
                                                        bool) = {
        {&multiply_spectra<Vector, 1, false>, &multiply_spectra<Vector, 2, false>, &multiply_spectra<Vector, 3, false>,
         &multiply_spectra<Vector, 4, false>},
        {&multiply_spectra<Vector, 1, true>, &multiply_spectra<Vector, 2, true>, &multiply_spectra<Vector, 3, true>,
         &multiply_spectra<Vector, 4, true>}};
    multiply_some[one_row_][sum_count - 1](size_, pointers_, filters + begin * spectrum(), end - begin, sums,
                                           accumulate);
  }

  // Returns how many elements a spectrum has.
  int64_t spectrum() const { return spectrum_vectors(size_) * width; }

 private:
  int64_t group_of(int64_t out_channel) const { return out_channel / (problem_.out_channels / problem_.groups); }

  // Returns the place of a block in the rings. With one row, blocks share an entry, a lane each.
  int64_t entry_of(int64_t block) const { return (one_row_ ? (block - first_block_) / width : block) % cut_.ring; }
  int64_t lane_of(int64_t block) const { return one_row_ ? (block - first_block_) % width : 0; }
  Scalar* spectrum_of(int64_t block) const { return ring_ + entry_of(block) * spectrum() + lane_of(block); }

  // Transforms the next blocks of the one row, as many as there are lanes.
  void transform_one_row() {
    const int64_t left = cut_.blocks + cut_.filter_parts - 1 - next_block_;
    const int count = static_cast<int>(min(left, width));
    const Storage* const channel =
        input_ + sample_ * problem_.input_strides.batch + group_of(first_channel_) * problem_.input_strides.channel;
    const int64_t position = next_block_ * cut_.outputs * problem_.dilation + phase_ - problem_.padding_left;
    copy_segment<Vector>(row_problem_, channel, position, (count - 1) * cut_.outputs + size_, rows_);
    const Scalar* from[width];
    for (int l = 0; l < width; ++l) from[l] = rows_ + (l < count ? l : 0) * cut_.outputs;
    gather_samples<Vector>(from, size_, samples_);
    peaks_.keep(entry_of(next_block_), samples_, 0, 0);
    functions_.forward(samples_, spectrum_of(next_block_));
  }

  void transform(int64_t block) {
    Scalar* const to = spectrum_of(block);
    if (is_padding(block)) {
      fill_zeros<Vector>(to, spectrum());
      peaks_.keep_zeros(entry_of(block));
      have_samples_ = false;
      return;
    }
    const int64_t kept = have_samples_ ? size_ - cut_.outputs : 0;
    for (int64_t i = 0; i < kept * width; i += width) {
      Vector::store(samples_ + i, Vector::load(samples_ + cut_.outputs * width + i));
    }
    gather(block * cut_.outputs + kept, size_ - kept, samples_ + kept * width);
    have_samples_ = true;
    peaks_.keep(entry_of(block), samples_, kept > 0 ? entry_of(block - 1) : 0, kept);
    functions_.forward(samples_, to);
  }

  // Says whether a block lies in zero padding altogether.
  bool is_padding(int64_t block) const {
    if (problem_.padding_mode != PaddingMode::zeros) return false;
    const int64_t first = block * cut_.outputs * problem_.dilation + phase_ - problem_.padding_left;
    return first >= problem_.input_length || first + (size_ - 1) * problem_.dilation < 0;
  }
  bool all_padding(int64_t block, int count) const {
    for (int r = 0; r < count; ++r) {
      if (!is_padding(block + r)) return false;
    }
    return true;
  }

  // Copies elements [first, first + count) of the rows of all lanes to [element][lane].
  void gather(int64_t first, int64_t count, Scalar* to) {
    const int64_t row = rounded_up(count, width) + width;
    const Storage* const input = input_ + sample_ * problem_.input_strides.batch;
    const int64_t position = first * problem_.dilation + phase_ - problem_.padding_left;
    for (int l = 0; l < lanes_; ++l) {
      copy_segment<Vector>(row_problem_, input + group_of(first_channel_ + l) * problem_.input_strides.channel,
                           position, count, rows_ + l * row);
    }
    for (int64_t i = 0; i < count; i += width) {
      const int64_t here = min(count - i, width);
      Register r[width];
      for (int l = 0; l < width; ++l) r[l] = l < lanes_ ? Vector::load(rows_ + l * row + i) : Vector::zero();
      Vector::transpose(r);
      for (int64_t j = 0; j < here; ++j) Vector::store(to + (i + j) * width, r[j]);
    }
  }

  const Problem& problem_;
  const DepthwiseTiles& cut_;
  const Storage* const input_;
  const SpectrumFunctions<Scalar>& functions_;
  const int size_;
  Problem row_problem_;
  Scalar* const ring_;  // spectra of the latest blocks
  DepthwisePeaks<Vector> peaks_;
  Scalar* const samples_;
  Scalar* const rows_;
  const Scalar** const pointers_;
  int64_t first_channel_ = 0;
  int lanes_ = 0;
  bool one_row_ = false;
  int64_t sample_ = 0;
  int64_t phase_ = 0;
  int64_t first_block_ = 0;  // of the row, as far as it is wanted
  int64_t next_block_ = 0;
  bool have_samples_ = false;  // samples_ holds those of the block before
};

}  // namespace
}  // namespace tapconv::kernels
