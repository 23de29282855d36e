// Filters of the tile algorithm lie as [product][register tile][segment][input channel][tile row] for each group, or
// for one block of its register tiles where they are transformed where they are used. Where filters are in the lanes, a
// register tile is a panel, which is a few vectors of output channels, and some input channels at a time. Taps brought
// into the lanes before the call lie as [vector of output channels][input channel][tap][lane], with vectors counted
// over all groups.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/algorithms/transforms/transforms.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/value_range.h"
#include "tile_plan.h"

namespace tapconv::kernels {
namespace {

template <class Vector>
const TransformFunctions<typename Vector::Scalar>& transform_functions(TileTransform transform) {
  static constexpr TransformFunctions<typename Vector::Scalar> all[tile_transform_count] = {
      functions_of<FourierTransform<Vector, 8>>(),   functions_of<FourierTransform<Vector, 16>>(),
      functions_of<FourierTransform<Vector, 32>>(),  functions_of<FourierTransform<Vector, 64>>(),
      functions_of<FourierTransform<Vector, 128>>(), functions_of<FourierTransform<Vector, 256>>(),
      functions_of<FourierTransform<Vector, 512>>(), functions_of<WinogradTwoTaps<Vector>>(),
      functions_of<WinogradThreeTaps<Vector>>(),
  };
  return all[static_cast<int>(transform)];
}

// Filters that were transformed before the call come from far away, and those of the next product lie a plane further,
// in pieces too short for hardware prefetchers. So they are fetched ahead.
template <class Scalar>
void prefetch_filters(const Scalar* filters, int64_t count) {
  constexpr int64_t line = 64 / sizeof(Scalar);
  for (int64_t i = 0; i < count; i += line) __builtin_prefetch(filters + i, 0, 2);
}

struct InputChannels {
  int64_t first;
  int64_t last;  // the first one that does not belong to them
};

// Reads the filters of one register tile as a sequence of (input channel, tile row) pairs, `width` of them at a time.
template <class Vector, class Storage>
class FilterReader {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  static constexpr bool has_quads = QuadVector<Vector> && std::is_same_v<Storage, Scalar>;
  // Filters come from memory in short pieces of many rows, which hardware prefetchers do not follow.
  static constexpr int channels_ahead = 16;
  // Taps further apart are picked one by one, since a vector would hold too few of them.
  static constexpr int64_t max_apart = 4;

 public:
  // `weight` is the group's. Rows are its output channels (with phases, as many for each) from `first_out` on.
  FilterReader(const TilePlan& plan, const Storage* weight, const InputChannels& channels, int64_t first_out, int rows)
      : plan_(plan),
        strides_(plan.problem.weight_strides),
        phase_distance_(plan.variant.weight_phase_stride),
        apart_(strides_.tap < 0 ? -strides_.tap : strides_.tap),
        span_((plan.problem.kernel_size - 1) * apart_ + 1),
        channels_(channels.last - channels.first),
        weight_(weight + first_out / plan.variant.output_phases * strides_.out_channel +
                channels.first * strides_.in_channel),
        first_phase_(first_out % plan.variant.output_phases),
        rows_(rows) {
    constexpr int64_t step = has_quads ? 4 : width;
    const int64_t beyond = rounded_up(span_, step) - span_;
    const int64_t distance = strides_.in_channel;
    vector_channels_ = channels_ - (distance > 0 ? ceil_div(beyond, distance) : channels_);
    begin_channel();
  }

  // Writes the taps of the next `width` filters to [segment][sample][lane]. Where fewer filters are left, the last
  // `width` of all are read. Where there are no more than that, the last one stands for those that lack.
  void read(Scalar* taps) {
    if (channels_ * rows_ - at_ < width) begin_last();
    at_ += width;
    const Storage* filters[width];
    int64_t channel = channel_;
    for (int l = 0; l < width; ++l) {
      filters[l] = out_channel_ + phase_ * phase_distance_;
      __builtin_prefetch(filters[l] + channels_ahead * strides_.in_channel);
      channel = channel_;
      advance();
    }
    if (apart_ >= 1 && apart_ <= max_apart) {
      transpose_taps(filters, channel < vector_channels_, taps);
    } else {
      pick_taps(filters, taps);
    }
  }

  // Returns the sum of the squares of all taps that were read.
  Scalar square_sum() const { return Vector::sum(Vector::add(squares_[0], squares_[1])); }

 private:
  // Place says where taps go, one after the other.
  struct Place {
    Scalar* to;
    int64_t segments_left;  // until the next sample's or, backwards, the last sample's turn comes
    int64_t taps_apart;     // elements until the next tap
  };

  void begin_channel() {
    row_ = 0;
    phase_ = first_phase_;
    out_channel_ = weight_;
  }

  void begin_last() {
    const int64_t first = channels_ * rows_ - width;
    if (first <= 0) return;
    weight_ += (first / rows_ - channel_) * strides_.in_channel;
    channel_ = first / rows_;
    begin_channel();
    while (row_ < first % rows_) advance();
  }

  // Counts phases instead of dividing by their number, which would take longer than reading a short filter.
  void advance() {
    if (++row_ < rows_) {
      if (++phase_ < plan_.variant.output_phases) return;
      phase_ = 0;
      out_channel_ += strides_.out_channel;
    } else if (channel_ + 1 < channels_) {
      ++channel_;
      weight_ += strides_.in_channel;
      begin_channel();
    } else {
      --row_;
    }
  }

  // If `whole`, vectors may be read to their end, since filters of later channels follow.
  void transpose_taps(const Storage* const* filters, bool whole, Scalar* taps) {
    const int64_t segments = plan_.rows.segment_count;
    const bool forward = strides_.tap > 0;
    const int64_t first_tap = forward ? 0 : plan_.problem.kernel_size - 1;
    const ptrdiff_t first = forward ? 0 : 1 - span_;
    Place place{taps + (first_tap % segments * size_ + first_tap / segments) * width,
                forward ? segments : first_tap % segments + 1, 1};
    int64_t i = 0;
    for (; i + width <= span_; i += width) {
      Register r[width];
#pragma GCC unroll 16
      for (int l = 0; l < width; ++l) r[l] = Vector::load(filters[l] + first + i);
      Vector::transpose(r);
      keep(r, width, place);
    }
    if constexpr (has_quads) {
      if (whole) {
        for (; i < span_; i += 4) {
          Register r[4];
          Vector::load_quads(filters, first + i, r);
          keep(r, span_ - i, place);
        }
      }
    }
    if (i >= span_) return;
    const int left = static_cast<int>(span_ - i);
    Register r[width];
    if (whole) {
#pragma GCC unroll 16
      for (int l = 0; l < width; ++l) r[l] = Vector::load(filters[l] + first + i);
    } else {
#pragma GCC unroll 16
      for (int l = 0; l < width; ++l) r[l] = Vector::load_partial(filters[l] + first + i, left);
    }
    Vector::transpose(r);
    keep(r, left, place);
  }

  // Takes those of the first `count` rows that are taps.
  template <int Rows>
  void keep(const Register (&r)[Rows], int64_t count, Place& place) {
    const int64_t segments = plan_.rows.segment_count;
    const ptrdiff_t step = (strides_.tap > 0 ? size_ : -size_) * width;
    const ptrdiff_t turn = strides_.tap > 0 ? width : -width;
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      if (i >= count) return;
      if (--place.taps_apart > 0) continue;
      place.taps_apart = apart_;
      squares_[i % 2] = Vector::multiply_add(r[i], r[i], squares_[i % 2]);
      Vector::store(place.to, r[i]);
      place.to += step;
      if (--place.segments_left > 0) continue;
      place.segments_left = segments;
      place.to += turn - segments * step;
    }
  }

  void pick_taps(const Storage* const* filters, Scalar* taps) {
    const int64_t segments = plan_.rows.segment_count;
    for (int64_t k = 0; k < plan_.problem.kernel_size; ++k) {
      Scalar* const to = taps + (k % segments * size_ + k / segments) * width;
      for (int l = 0; l < width; ++l) to[l] = widen(filters[l][k * strides_.tap]);
      const Register tap = Vector::load(to);
      squares_[0] = Vector::multiply_add(tap, tap, squares_[0]);
    }
  }

  const TilePlan& plan_;
  const WeightStrides& strides_;
  const int64_t phase_distance_;
  const int64_t size_ = shape_of(plan_.tiles.transform).size;
  const int64_t apart_;  // elements between taps
  const int64_t span_;   // elements from the first to the last tap
  const int64_t channels_;
  const Storage* weight_;  // of the input channel, at the first row's output channel
  const int64_t first_phase_;
  const int rows_;
  int64_t vector_channels_;  // that have so many others behind them that vectors may be read to their end
  int64_t at_ = 0;
  int64_t row_;
  int64_t phase_;
  const Storage* out_channel_;  // the row's, of the input channel
  int64_t channel_ = 0;
  Register squares_[2] = {Vector::zero(), Vector::zero()};
};

// Brings the taps of a vector of output channels, counted over all groups, into its lanes. `taps` has room for the
// samples of one vector of tiles.
template <class Vector, class Storage>
void bring_into_lanes(const TilePlan& plan, const ForwardOperands& operands, int64_t vector,
                      typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_vectors = p.out_channels / p.groups / width;
  const int64_t elements = p.kernel_size * width;
  const Storage* const weight =
      static_cast<const Storage*>(operands.weight) + vector / group_vectors * plan.variant.weight_group_stride;
  FilterReader<Vector, Storage> reader(plan, weight, {0, group_in}, vector % group_vectors * width, width);
  auto* to = static_cast<typename Vector::Scalar*>(operands.packed_weight) + vector * group_in * elements;
  for (int64_t c = 0; c < group_in; ++c, to += elements) {
    reader.read(taps);
    for (int64_t i = 0; i < elements; i += width) Vector::store(to + i, Vector::load(taps + i));
  }
  if (!(reader.square_sum() <= largest_square_sum<typename Vector::Scalar>)) {
    raise_flag(static_cast<char*>(operands.workspace) + plan.tiles.flags_at);
  }
}

// Transforms filters whose taps are in the lanes, a vector of output channels counted over all groups.
template <class Vector>
void transform_taps(const TilePlan& plan, const ForwardOperands& operands, int64_t vector,
                    const InputChannels& channels, typename Vector::Scalar* to, typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const int64_t elements = p.kernel_size * width;
  const auto* from = static_cast<const typename Vector::Scalar*>(operands.packed_weight) +
                     (vector * (p.in_channels / p.groups) + channels.first) * elements;
  const auto transform = transform_functions<Vector>(plan.tiles.transform).weight;
  for (int64_t c = channels.first; c < channels.last; ++c, from += elements, to += plan.tile_rows) {
    for (int64_t i = 0; i < elements; i += width) Vector::store(taps + i, Vector::load(from + i));
    transform(taps, to, plan.tiles.weight_plane);
  }
}

// Puts the filters of `segments` segments, `filters` of each, side by side in the lanes of the first one.
template <class Vector>
void join_segments(int64_t segments, int filters, int64_t size, typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  for (int64_t i = 0; i < size; ++i) {
    typename Vector::Register joined = Vector::load(taps + i * width);
    for (int64_t s = 1; s < segments; ++s) {
      joined = Vector::load_lanes(joined, taps + (s * size + i) * width, static_cast<int>(s) * filters, filters);
    }
    Vector::store(taps + i * width, joined);
  }
}

// Transforms the filters of one register tile of a group for some of its input channels. `to` is where the first
// product of the first of them goes; `taps` has room for the samples of one vector of tiles, of all segments.
template <class Vector, class Storage>
void transform_filters(const TilePlan& plan, const ForwardOperands& operands, int64_t group, int64_t tile,
                       const InputChannels& channels, typename Vector::Scalar* to, typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const TransformFunctions<typename Vector::Scalar>& transform = transform_functions<Vector>(plan.tiles.transform);
  const int64_t size = shape_of(plan.tiles.transform).size;
  const int64_t segments = plan.rows.segment_count;
  for (int64_t s = 0; s < segments; ++s) {
    for (int64_t i = ceil_div(p.kernel_size - s, segments); i < size; ++i) {
      Vector::store(taps + (s * size + i) * width, Vector::zero());
    }
  }
  // Rows are output channels from `first_out` on; the next vector of filters of a segment goes `step` elements further.
  const auto transform_rows = [&](int64_t first_out, int rows, int64_t step, typename Vector::Scalar* at) {
    FilterReader<Vector, Storage> reader(
        plan, static_cast<const Storage*>(operands.weight) + group * plan.variant.weight_group_stride, channels,
        first_out, rows);
    const int64_t filters = (channels.last - channels.first) * rows;
    // There may be so few filters that a vector has room for those of several segments, which adjoin.
    const int64_t together = filters < width ? width / filters : 1;
    const int64_t last = filters > width ? (filters - width) / width * step + filters % width : 0;
    for (int64_t i = 0; i < filters; i += width) {
      reader.read(taps);
      const int64_t place = i / width * step;
      for (int64_t s = 0; s < segments; s += together) {
        if (together > 1) {
          join_segments<Vector>(min(segments - s, together), static_cast<int>(filters), size, taps + s * size * width);
        }
        transform.weight(taps + s * size * width, at + s * filters + min(place, last), plan.tiles.weight_plane);
      }
    }
    return reader.square_sum();
  };
  typename Vector::Scalar squares = 0;
  if (has_filter_lanes(plan.tiles)) {
    const Share panel = panel_of(tile, plan.tile_row_count, p.out_channels / p.groups, width);
    const int64_t first = group * (p.out_channels / p.groups) + panel.first;
    for (int lane = 0; lane < panel.size; lane += width) {
      if (plan.tiles.ahead == FiltersAhead::in_lanes) {
        transform_taps<Vector>(plan, operands, (first + lane) / width, channels, to + lane, taps);
      } else {
        squares += transform_rows(panel.first + lane, width, plan.tile_rows, to + lane);
      }
    }
  } else {
    const Share part = share_of(tile, plan.tile_row_count, p.out_channels / p.groups);
    squares = transform_rows(part.first, part.size, width, to);
  }
  if (!(squares <= largest_square_sum<typename Vector::Scalar>)) {
    raise_flag(static_cast<char*>(operands.workspace) + plan.tiles.flags_at);
  }
}

}  // namespace
}  // namespace tapconv::kernels
