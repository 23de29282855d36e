// Filters of the tile algorithm: [product][register tile][channel][tile row] for each group, or for one block of its
// register tiles where they are transformed where they are used. A channel is a segment of an input channel. Where
// filters are in the lanes, a register tile is a panel: a few vectors of output channels.
#pragma once

#include "../kernel_table.h"
#include "../tile_transforms.h"
#include "tile_grid.h"
#include "transforms.h"
#include "value_range.h"

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

// The filters of one register tile, as a sequence of (channel, tile row) pairs, `width` of them at a time. A channel is
// a segment of an input channel: every segment_count-th tap.
template <class Vector, class Storage>
class FilterReader {
  using Scalar = typename Vector::Scalar;
  static constexpr int width = Vector::width;
  // Filters come from memory in short pieces of many rows, which hardware prefetchers do not follow.
  static constexpr int channels_ahead = 16;

 public:
  // `weight` is the group's; rows are its output channels (with phases, as many for each) from
  // `first_out` on.
  FilterReader(const Plan& plan, const Storage* weight, int64_t first_out, int rows)
      : plan_(plan),
        strides_(plan.problem.weight_strides),
        phase_distance_(plan.variant.weight_phase_stride),
        weight_(weight + first_out / plan.variant.phases * strides_.out_channel),
        first_phase_(first_out % plan.variant.phases),
        rows_(rows) {
    begin_rows();
  }

  // Writes the next `width` filters to [tap][lane]; past the last one, the last again.
  void read(Scalar* taps) {
    const Storage* filters[width];
    int64_t first_taps[width];
    for (int l = 0; l < width; ++l) {
      filters[l] = out_channel_ + phase_ * phase_distance_;
      __builtin_prefetch(filters[l] + channels_ahead * strides_.in_channel);
      first_taps[l] = segment_;
      advance();
    }
    if (plan_.rows.segment_count == 1 && plan_.variant.phases == 1 && (strides_.tap == 1 || strides_.tap == -1)) {
      transpose_taps(filters, taps);
    } else {
      pick_taps(filters, first_taps, taps);
    }
  }

 private:
  void begin_rows() {
    row_ = 0;
    phase_ = first_phase_;
    out_channel_ = weight_;
  }

  // Counts phases instead of dividing by their number, which would take longer than reading a short filter.
  void advance() {
    if (++row_ < rows_) {
      if (++phase_ < plan_.variant.phases) return;
      phase_ = 0;
      out_channel_ += strides_.out_channel;
      return;
    }
    if (segment_ + 1 < plan_.rows.segment_count) {
      ++segment_;
    } else if (channel_ + 1 < plan_.problem.in_channels / plan_.problem.groups) {
      ++channel_;
      segment_ = 0;
      weight_ += strides_.in_channel;
    } else {
      --row_;
      return;
    }
    begin_rows();
  }

  void transpose_taps(const Storage* const* filters, Scalar* taps) const {
    const int64_t count = plan_.problem.kernel_size;
    for (int64_t k = 0; k < count; k += width) {
      const int left = count - k < width ? static_cast<int>(count - k) : width;
      const ptrdiff_t first = strides_.tap == 1 ? k : -(k + left - 1);
      typename Vector::Register r[width];
      if (left == width) {
#pragma GCC unroll 16
        for (int l = 0; l < width; ++l) r[l] = Vector::load(filters[l] + first);
      } else {
#pragma GCC unroll 16
        for (int l = 0; l < width; ++l) r[l] = Vector::load_partial(filters[l] + first, left);
      }
      Vector::transpose(r);
      Scalar* const to = taps + k * width;
      if (strides_.tap == 1) {
        // Rows past the last tap are zero, as they have to be.
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i) Vector::store(to + i * width, r[i]);
      } else {
        for (int i = 0; i < left; ++i) Vector::store(to + i * width, r[left - 1 - i]);
      }
    }
  }

  void pick_taps(const Storage* const* filters, const int64_t* first_taps, Scalar* taps) const {
    for (int64_t i = 0; i < plan_.tiles.taps; ++i) {
      for (int l = 0; l < width; ++l) {
        const int64_t k = first_taps[l] + i * plan_.rows.segment_count;
        const bool there = k < plan_.problem.kernel_size;
        taps[i * width + l] = there ? widen(filters[l][k * strides_.tap]) : Scalar(0);
      }
    }
  }

  const Plan& plan_;
  const WeightStrides& strides_;
  const int64_t phase_distance_;
  const Storage* weight_;  // of the input channel, at the first row's output channel
  const int64_t first_phase_;
  const int rows_;
  int64_t row_;
  int64_t phase_;
  const Storage* out_channel_;  // the row's, of the input channel
  int64_t segment_ = 0;
  int64_t channel_ = 0;
};

// Moves the last product's filters together where it needs some segments only: those come first in every channel.
template <class Scalar>
void close_gaps(const Plan& plan, int rows, Scalar* filters) {
  const int64_t segments = plan.rows.segment_count;
  const int64_t kept = plan.tiles.last_product_segments;
  if (kept == segments) return;
  const Scalar* from = filters;
  for (int64_t channel = 0; channel < plan.tiles.channels / segments; ++channel, from += segments * rows) {
    for (int64_t i = 0; i < kept * rows; ++i) *filters++ = from[i];
  }
}

struct InputChannels {
  int64_t first;
  int64_t last;  // the first one that does not belong to them
};

// Transforms the filters of one register tile of a group for some of its input channels. `to` is where the first
// product of the first of them goes; `taps` has room for the samples of one vector of tiles.
template <class Vector, class Storage>
void transform_filters(const Plan& plan, const ForwardOperands& operands, int64_t group, int64_t tile,
                       const InputChannels& channels, typename Vector::Scalar* to, typename Vector::Scalar* taps) {
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const TransformFunctions<typename Vector::Scalar>& transform = transform_functions<Vector>(plan.tiles.transform);
  const Storage* const weight = static_cast<const Storage*>(operands.weight) +
                                group * plan.variant.weight_group_stride + channels.first * p.weight_strides.in_channel;
  for (int64_t i = plan.tiles.taps; i < shape_of(plan.tiles.transform).size; ++i) {
    Vector::store(taps + i * width, Vector::zero());
  }
  typename Vector::Scalar squares = 0;
  const auto transform_rows = [&](int64_t first_out, int rows, int64_t filters, int64_t step,
                                  typename Vector::Scalar* at) {
    FilterReader<Vector, Storage> reader(plan, weight, first_out, rows);
    for (int64_t i = 0; i < filters; i += width, at += step) {
      reader.read(taps);
      squares += square_sum<Vector>(taps, plan.tiles.taps * width);
      transform.weight(taps, at, plan.tiles.weight_plane);
    }
  };
  const int64_t filters_of_row = (channels.last - channels.first) * plan.rows.segment_count;
  if (has_filter_lanes(plan.tiles)) {
    const Part panel = panel_of(tile, plan.tile_row_count, p.out_channels / p.groups, width);
    for (int lane = 0; lane < panel.size; lane += width) {
      transform_rows(panel.first + lane, width, filters_of_row * width, plan.tile_rows, to + lane);
    }
  } else {
    const Part part = part_of(tile, plan.tile_row_count, p.out_channels / p.groups);
    transform_rows(part.first, part.size, filters_of_row * part.size, width, to);
    close_gaps(plan, part.size, to + (shape_of(plan.tiles.transform).products - 1) * plan.tiles.weight_plane);
  }
  if (!(squares <= largest_square_sum<typename Vector::Scalar>)) {
    raise_flag(static_cast<char*>(operands.workspace) + plan.tiles.flags_at);
  }
}

}  // namespace
}  // namespace tapconv::kernels
