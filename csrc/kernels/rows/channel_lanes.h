// Samples of a vector of channels, [position][channel]: for what is summed with channels in the lanes.
#pragma once

#include <type_traits>

#include "kernels/numbers/storage.h"
#include "kernels/simd/vector.h"

namespace tapconv::kernels {
namespace {

// to[i][lane] = from[lane * lane_stride + i * stride] for i in [0, count); lanes past `lanes` become zero.
template <class Vector, class Storage>
void transpose_in(const Storage* from, int64_t lane_stride, int64_t stride, int lanes, int64_t count,
                  typename Vector::Scalar* to) {
  constexpr int width = Vector::width;
  if (lane_stride == 1) {
    for (int64_t i = 0; i < count; ++i) Vector::store(to + i * width, Vector::load_partial(from + i * stride, lanes));
    return;
  }
  if (stride != 1) {
    for (int64_t i = 0; i < count; ++i) {
      for (int lane = 0; lane < width; ++lane) {
        to[i * width + lane] = lane < lanes ? widen(from[lane * lane_stride + i * stride]) : typename Vector::Scalar(0);
      }
    }
    return;
  }
  if constexpr (QuadVector<Vector> && std::is_same_v<Storage, typename Vector::Scalar>) {
    if (count == 4 && lanes == width) {
      const Storage* rows[width];
      for (int lane = 0; lane < width; ++lane) rows[lane] = from + lane * lane_stride;
      typename Vector::Register quads[4];
      Vector::load_quads(rows, 0, quads);
      for (int i = 0; i < 4; ++i) Vector::store(to + i * width, quads[i]);
      return;
    }
    // Four samples are loaded where three are wanted: the fourth is the next lane's, and the last lane, which has no
    // next one, is loaded from a copy.
    if (count == 3 && lanes == width && lane_stride > 0) {
      const Storage last[4] = {from[(width - 1) * lane_stride], from[(width - 1) * lane_stride + 1],
                               from[(width - 1) * lane_stride + 2], Storage{}};
      const Storage* rows[width];
      for (int lane = 0; lane < width; ++lane) rows[lane] = lane + 1 < width ? from + lane * lane_stride : last;
      typename Vector::Register quads[4];
      Vector::load_quads(rows, 0, quads);
      for (int i = 0; i < 3; ++i) Vector::store(to + i * width, quads[i]);
      return;
    }
  }
  for (int64_t i = 0; i < count; i += width) {
    const int here = count - i < width ? static_cast<int>(count - i) : width;
    typename Vector::Register block[width];
    for (int lane = 0; lane < width; ++lane) {
      block[lane] = lane < lanes ? Vector::load_partial(from + lane * lane_stride + i, here) : Vector::zero();
    }
    Vector::transpose(block);
    for (int j = 0; j < here; ++j) Vector::store(to + (i + j) * width, block[j]);
  }
}

// The way back: to[lane * lane_stride + i * stride] = from[i][lane], for the first `lanes` lanes.
template <class Vector, class Storage>
void transpose_out(const typename Vector::Scalar* from, int lanes, int64_t count, Storage* to, int64_t lane_stride,
                   int64_t stride) {
  constexpr int width = Vector::width;
  if (lane_stride == 1) {
    for (int64_t i = 0; i < count; ++i) Vector::store_partial(to + i * stride, Vector::load(from + i * width), lanes);
    return;
  }
  if (stride != 1) {
    for (int lane = 0; lane < lanes; ++lane) {
      for (int64_t i = 0; i < count; ++i) narrow(from[i * width + lane], &to[lane * lane_stride + i * stride]);
    }
    return;
  }
  for (int64_t i = 0; i < count; i += width) {
    const int here = count - i < width ? static_cast<int>(count - i) : width;
    typename Vector::Register block[width];
    for (int j = 0; j < width; ++j) block[j] = j < here ? Vector::load(from + (i + j) * width) : Vector::zero();
    Vector::transpose(block);
    for (int lane = 0; lane < lanes; ++lane) Vector::store_partial(to + lane * lane_stride + i, block[lane], here);
  }
}

}  // namespace
}  // namespace tapconv::kernels
