// How an input channel is laid out as a row of samples that taps read with nothing between them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "blocking.h"
#include "kernels/problem.h"

namespace tapconv::kernels {

// RowLayout says how an input channel is laid out as a row. A row consists of segments of evenly spaced samples, so
// that what one tap reads for consecutive outputs is contiguous. Tap k reads segment k % segment_count from element (k
// / segment_count) * tap_distance. There is one segment for each phase of the stride that some tap reads. Where the
// dilation is so long that phases would mostly hold samples nobody reads, there is one for each tap.
struct RowLayout {
  int64_t segment_count;
  int64_t taps_per_segment;  // of the longest segment
  int64_t tap_distance;      // between neighbouring taps of a segment, in row elements
  int64_t segment_length;    // row elements, including the slack that the last vector of a tile reads
  int64_t row_length;        // of all segments: an odd number of cache lines, so that rows spread over all cache sets
};

inline constexpr int64_t max_taps_folded_by_vectors = 16;

// Says whether rows that hold all samples one after the other (RowPlan::folded) are copied by vectors, a sample for
// each tap at a time. Otherwise they are copied piece by piece, which takes several times longer.
constexpr bool folds_by_vectors(const Problem& problem, int64_t width) {
  return problem.output_length <= width && problem.kernel_size <= max_taps_folded_by_vectors &&
         problem.padding_mode == PaddingMode::zeros && problem.stride * problem.input_strides.time == 1;
}

// Taps k and k + period read the same phase of the stride. One segment for each phase is compact while the taps are
// close. When they are so far apart that the samples between them outweigh what a block of outputs reads, each tap gets
// a segment of its own.
inline RowLayout choose_segments(const Problem& p, int64_t likely_block) {
  const int64_t taps = std::max<int64_t>(p.kernel_size, 1);
  const int64_t period = p.stride / std::gcd(p.stride, p.dilation);
  RowLayout rows{};
  rows.segment_count = std::min(taps, period);
  rows.taps_per_segment = ceil_div(taps, rows.segment_count);
  rows.tap_distance = p.dilation / std::gcd(p.stride, p.dilation);
  if (rows.taps_per_segment > 1 && rows.tap_distance > likely_block) {
    rows.segment_count = taps;
    rows.taps_per_segment = 1;
    rows.tap_distance = 0;
  }
  return rows;
}

// Returns how many row elements beyond a block the last tap of a segment reads.
inline int64_t span_of(const RowLayout& rows) { return (rows.taps_per_segment - 1) * rows.tap_distance; }

// Fixes the lengths once the time block is known.
inline void choose_row_length(RowLayout& rows, int64_t time_block, int64_t width, int64_t element_bytes) {
  const int64_t line = cache_line_bytes / element_bytes;
  rows.segment_length = rounded_up(rounded_up(time_block, width) + span_of(rows), line);
  const int64_t lines = rows.segment_count * rows.segment_length / line;
  rows.row_length = (lines + 1 - lines % 2) * line;
}

}  // namespace tapconv::kernels
