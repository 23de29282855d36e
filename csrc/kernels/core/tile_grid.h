// Output channels and output times are cut into register tiles evenly, so that the last tile is nearly as large as the
// others and every size runs a kernel of its own instead of a scalar tail.
#pragma once

#include <cstdint>

#include "integers.h"

namespace tapconv::kernels {
namespace {

struct Share {
  int64_t first;
  int size;
};

// Returns share number `index` of `total` things that are split evenly into `count` parts. Where index == count, it
// begins at the end.
inline Share share_of(int64_t index, int64_t count, int64_t total) {
  const int64_t size = total / count;
  const int64_t longer = total % count;  // the first `longer` parts have one more
  return {index * size + min(index, longer), static_cast<int>(size + (index < longer ? 1 : 0))};
}

// Returns register tile `index` of `count` over the output channels of a group, in whole vectors of `width`.
inline Share panel_of(int64_t index, int64_t count, int64_t total, int width) {
  const Share vectors = share_of(index, count, total / width);
  return {vectors.first * width, vectors.size * width};
}

}  // namespace
}  // namespace tapconv::kernels
