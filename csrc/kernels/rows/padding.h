// Which sample stands at a padded position.
#pragma once

#include "kernels/problem.h"

namespace tapconv::kernels {
namespace {

// Where a padded position takes its value from, or -1 for a zero. `position` counts from the first real sample.
// Positions outside the padding are read only by vector lanes whose result is thrown away.
inline int64_t source_of(int64_t position, const Problem& problem) {
  const int64_t length = problem.input_length;
  if (position >= 0 && position < length) return position;
  if (problem.padding_mode == PaddingMode::zeros) return -1;
  if (position < -problem.padding_left || position >= length + problem.padding_right) return -1;
  switch (problem.padding_mode) {
    case PaddingMode::reflect:
      return position < 0 ? -position : 2 * (length - 1) - position;
    case PaddingMode::replicate:
      return position < 0 ? 0 : length - 1;
    case PaddingMode::circular:
      return position < 0 ? position + length : position - length;
    case PaddingMode::zeros:
      break;
  }
  return -1;
}

}  // namespace
}  // namespace tapconv::kernels
