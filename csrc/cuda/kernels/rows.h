// Rows are copied into shared memory padded, widened, and split into segments (RowTile).
#pragma once

#include "padding.h"

namespace tapconv::cuda {

// Returns how many elements lie between the last vector boundary and `first`. Rows keep the alignment that they have in
// memory.
template <class Element>
TAPCONV_DEVICE inline int row_shift(const RowTile& tile, const Element* channel, int64_t first_position) {
  if (!tile.vectors) return 0;
  const int64_t element = static_cast<int64_t>(reinterpret_cast<uintptr_t>(channel) / sizeof(Element));
  return static_cast<int>((element + first_position) & (Vector<Element>::size - 1));
}

// Copies a thread's share of the vectors of one row: element i of the row lies at to[i + row_shift].
template <class Element, class Index>
TAPCONV_DEVICE inline void stage_vector(const kernels::Problem& problem, const RowTile& tile, const Element* channel,
                                        Index first_position, int vector, Wide<Element>* to) {
  using Source = Vector<Element>;
  constexpr int wide_size = Vector<Wide<Element>>::size;
  const int begin = vector * Source::size;
  const Index position = first_position - row_shift(tile, channel, first_position) + begin;
  Wide<Element> widened[Source::size];
  if (position >= 0 && position + Source::size <= problem.input_length) {
    const Source loaded = *reinterpret_cast<const Source*>(channel + position);
    TAPCONV_UNROLL
    for (int j = 0; j < Source::size; ++j) widened[j] = widen(loaded.values[j]);
  } else {
    TAPCONV_UNROLL
    for (int j = 0; j < Source::size; ++j) {
      widened[j] = padded_sample(problem, channel, static_cast<Index>(position + j));
    }
  }
  TAPCONV_UNROLL
  for (int j = 0; j < Source::size; j += wide_size) {
    Vector<Wide<Element>> stored;
    TAPCONV_UNROLL
    for (int i = 0; i < wide_size; ++i) stored.values[i] = widened[j + i];
    *reinterpret_cast<Vector<Wide<Element>>*>(to + begin + j) = stored;
  }
}

// Copies the segments of `rows` rows, of which channel_of(row) is the first sample. Element i of segment q is the
// padded sample at first_position + i * stride + q * dilation. All threads of a block do it together.
template <class Element, class Index, class ChannelOf>
TAPCONV_DEVICE inline void stage_rows(const kernels::Problem& problem, const RowTile& tile, int rows, int segments,
                                      ChannelOf channel_of, int64_t first_position, int thread, int threads,
                                      Wide<Element>* to) {
  const Index first = static_cast<Index>(first_position);
  if (tile.vectors) {
    const int vectors = tile.row_length / Vector<Element>::size;
    for (int i = thread; i < rows * vectors; i += threads) {
      const int row = i / vectors;
      stage_vector(problem, tile, channel_of(row), first, i - row * vectors, to + row * tile.row_length);
    }
    return;
  }
  const int samples = segments * tile.segment_length;
  for (int i = thread; i < rows * samples; i += threads) {
    const int row = tile.rows_inside ? i % rows : i / samples;
    const int sample = tile.rows_inside ? i / rows : i - row * samples;
    const int segment = tile.segments_inside ? sample % segments : sample / tile.segment_length;
    const int element = tile.segments_inside ? sample / segments : sample - segment * tile.segment_length;
    const Index position = first + static_cast<Index>(element) * static_cast<Index>(problem.stride) +
                           static_cast<Index>(segment) * static_cast<Index>(problem.dilation);
    to[row * tile.row_length + segment * tile.segment_length + element] =
        padded_sample(problem, channel_of(row), position);
  }
}

}  // namespace tapconv::cuda
