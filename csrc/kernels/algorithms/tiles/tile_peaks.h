// Peaks tell what the outputs of a block of tiles see. While rows are copied, the largest magnitude of all input
// channels of the group is kept for each position. Afterwards the largest under the taps of each output tells which
// tiles must not be transformed (seen_peaks.h).
//
// Where filters of whole numbers meet samples of whole numbers, sums are whole numbers too, and only a direct sum gives
// them exactly. So for groups with such filters the distances to the nearest whole number are kept in the same way. An
// output that sees nothing but zeros among these distances sees whole numbers alone.
//
// Some segments of a strided row may lack the last tap, and no output sees what that tap would read there. They are
// kept apart from the others.
#pragma once

#include "kernels/algorithms/transforms/seen_peaks.h"
#include "kernels/core/integers.h"
#include "kernels/numbers/filter_kinds.h"
#include "tile_gather.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

inline float distance_from_whole(float x) { return x - __builtin_rintf(x); }
inline double distance_from_whole(double x) { return x - __builtin_rint(x); }

// Holds the peaks of the block for one group, as one slot sees them.
template <class Vector, class Storage>
class TilePeaks {
  using Scalar = typename Vector::Scalar;
  static constexpr int width = Vector::width;

 public:
  TilePeaks(const TilePlan& plan, Scalar* memory, bool with_fractions)
      : plan_(plan),
        blocks_(plan.tiles),
        kinds_(peak_kinds(plan)),
        peaks_{memory, memory + plan.tiles.row_distance},
        fractions_{memory + kinds_ * plan.tiles.row_distance, memory + (kinds_ + 1) * plan.tiles.row_distance},
        taps_{plan.tiles.taps, plan.tiles.taps - 1},
        with_fractions_(with_fractions) {}

  void clear(const TileLanes& lanes) {
    for (int i = 0; i < kinds_; ++i) {
      clear(lanes, peaks_[i]);
      if (with_fractions_) clear(lanes, fractions_[i]);
    }
  }

  // Adds a segment of a channel's row, with zeros behind its end.
  void add(const TileLanes& lanes, int64_t segment, const Scalar* row) {
    const int kind = lacks_a_tap(segment) ? 1 : 0;
    add_peaks<Vector>(row, lanes.row_length, peaks_[kind]);
    if (!with_fractions_) return;
    Scalar* const fractions = fractions_[kind];
    for (int64_t i = 0; i < lanes.row_length; ++i) {
      const Scalar distance = distance_from_whole(row[i]);
      // A NaN is no whole number either.
      if (!(distance == 0)) fractions[i] = Scalar(1);
    }
  }

  // Takes what another slot has seen of the same block and group.
  void add(const TileLanes& lanes, const TilePeaks& other) {
    for (int i = 0; i < kinds_; ++i) {
      add_peaks<Vector>(other.peaks_[i], lanes.row_length, peaks_[i]);
      if (with_fractions_) add_peaks<Vector>(other.fractions_[i], lanes.row_length, fractions_[i]);
    }
  }

  // Raises the flags of the block's tiles that a direct sum has to compute. `flags` are the group's, and `spare` has
  // room for as many rows as there are kinds. Returns whether the transform is left any tile of the block.
  bool flag_tiles(const TileLanes& lanes, char* flags, Scalar* spare) const {
    Scalar* const seen = windows(lanes, peaks_, spare);
    bool any_left = false;
    for (int r = 0; r < lanes.run_count; ++r) {
      const TileRun& run = lanes.runs[r];
      char* const row_flags = flags + run.sample * blocks_.tiles_per_phase;
      if (is_even(run, run.first, run.first + outputs_of(run), seen)) {
        any_left = true;
        continue;
      }
      for_each_tile(run, [&](int64_t tile, int64_t begin, int64_t end) {
        const bool even = is_even(run, begin, end, seen);
        if (!even) raise_flag(row_flags + tile, uneven_tile);
        any_left = any_left || even;
      });
    }
    if (with_fractions_) flag_whole_tiles(lanes, flags, spare);
    return any_left;
  }

 private:
  bool lacks_a_tap(int64_t segment) const {
    return segment + (blocks_.taps - 1) * plan_.rows.segment_count >= plan_.problem.kernel_size;
  }

  // Loads run up to a vector past the last element.
  void clear(const TileLanes& lanes, Scalar* row) const {
    for (int64_t i = 0; i < lanes.row_length + width; i += width) Vector::store(row + i, Vector::zero());
  }

  // Returns the largest of what each output sees, at the element that its first tap reads.
  Scalar* windows(const TileLanes& lanes, Scalar* const* kept, Scalar* spare) const {
    Scalar* const both[2] = {spare, spare + blocks_.row_distance};
    for (int i = 0; i < kinds_; ++i) {
      for (int64_t j = 0; j < lanes.row_length + width; j += width)
        Vector::store(both[i] + j, Vector::load(kept[i] + j));
      slide_peaks<Vector>(both[i], lanes.row_length, taps_[i], blocks_.dilation_phases);
    }
    if (kinds_ == 2) add_peaks<Vector>(both[1], lanes.row_length, both[0]);
    return both[0];
  }

  int64_t outputs_of(const TileRun& run) const { return run.count - (blocks_.taps - 1) * blocks_.dilation_phases; }

  // Calls body(tile, begin, end) for the outputs [begin, end) of each tile, all phases, that the run has samples for.
  template <class Body>
  void for_each_tile(const TileRun& run, const Body& body) const {
    const int64_t distance = blocks_.outputs * blocks_.dilation_phases;
    const int64_t last = run.first + outputs_of(run);
    for (int64_t begin = run.first; begin < last; begin += distance) {
      body(begin / distance, begin, min(begin + distance, last));
    }
  }

  // Says whether the tiles of the outputs [begin, end) may be transformed. Outputs past the last one are not there, but
  // their samples are.
  bool is_even(const TileRun& run, int64_t begin, int64_t end, const Scalar* seen) const {
    const int64_t at = run.at + begin - run.first;
    const int64_t samples = end - begin + (blocks_.taps - 1) * blocks_.dilation_phases;
    Scalar largest = largest_of<Vector>(peaks_[0] + at, samples);
    if (kinds_ == 2) {
      const Scalar other = largest_of<Vector>(peaks_[1] + at, samples);
      if (largest == largest && !(other <= largest)) largest = other;
    }
    const int64_t length = plan_.problem.output_length;
    const int64_t outputs = min(end, length) - begin;
    if (outputs <= 0 || largest == 0) return true;
    return !is_uneven(largest, smallest_of<Vector>(seen + at, outputs), largest_ratio<Storage>(blocks_.transform));
  }

  void flag_whole_tiles(const TileLanes& lanes, char* flags, Scalar* spare) const {
    const Scalar* const seen = windows(lanes, fractions_, spare);
    for (int r = 0; r < lanes.run_count; ++r) {
      const TileRun& run = lanes.runs[r];
      for_each_tile(run, [&](int64_t tile, int64_t begin, int64_t end) {
        const int64_t length = plan_.problem.output_length;
        const int64_t outputs = min(end, length) - begin;
        if (outputs <= 0 || smallest_of<Vector>(seen + run.at + begin - run.first, outputs) != 0) return;
        raise_flag(flags + run.sample * blocks_.tiles_per_phase + tile, whole_tile);
      });
    }
  }

  const TilePlan& plan_;
  const TileBlocks& blocks_;
  const int kinds_;  // of segments
  Scalar* const peaks_[2];
  Scalar* const fractions_[2];
  const int64_t taps_[2];
  const bool with_fractions_;
};

}  // namespace
}  // namespace tapconv::kernels
