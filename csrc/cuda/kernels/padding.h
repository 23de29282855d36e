// Padding modes inside a kernel: this file says which sample stands at a padded position, and which positions are
// copies of a sample.
#pragma once

#include "elements.h"
#include "launch.h"

namespace tapconv::cuda {

// Returns the sample at padded position `position`, or -1 for a zero. Beyond the padding, where only outputs that
// nobody wants would look, there are zeros too.
template <class Index>
TAPCONV_DEVICE inline Index source_of(const kernels::Problem& problem, Index position) {
  const Index length = static_cast<Index>(problem.input_length);
  if (position >= 0 && position < length) return position;
  if (problem.padding_mode == kernels::PaddingMode::zeros || position < -problem.padding_left ||
      position >= length + problem.padding_right) {
    return -1;
  }
  switch (problem.padding_mode) {
    case kernels::PaddingMode::reflect:
      return position < 0 ? -position : 2 * (length - 1) - position;
    case kernels::PaddingMode::replicate:
      return position < 0 ? 0 : length - 1;
    default:
      return position < 0 ? position + length : position - length;
  }
}

template <class Element, class Index>
TAPCONV_DEVICE inline Wide<Element> padded_sample(const kernels::Problem& problem, const Element* channel,
                                                  Index position) {
  const Index source = source_of(problem, position);
  if (source < 0) return 0;
  return widen(channel[source * static_cast<Index>(problem.input_strides.time)]);
}

// Returns the sum of the gradients of all padded positions that are copies of sample `i`. `row` is sample * channels +
// channel.
template <class WideType>
TAPCONV_DEVICE inline WideType border_sum(const Borders& borders, int64_t row, int64_t i) {
  WideType sum = 0;
  if (borders.mode == kernels::PaddingMode::zeros) return sum;
  const WideType* left = static_cast<const WideType*>(borders.left) + row * borders.left_length;
  const WideType* right = static_cast<const WideType*>(borders.right) + row * borders.right_length;
  const int64_t length = borders.input_length;
  switch (borders.mode) {
    case kernels::PaddingMode::reflect:
      if (i >= 1 && i <= borders.left_length) sum += left[borders.left_length - i];
      if (i <= length - 2 && i >= length - 1 - borders.right_length) sum += right[length - 2 - i];
      break;
    case kernels::PaddingMode::replicate:
      for (int64_t j = 0; i == 0 && j < borders.left_length; ++j) sum += left[j];
      for (int64_t j = 0; i == length - 1 && j < borders.right_length; ++j) sum += right[j];
      break;
    default:
      if (i >= length - borders.left_length) sum += left[i - (length - borders.left_length)];
      if (i < borders.right_length) sum += right[i];
      break;
  }
  return sum;
}

}  // namespace tapconv::cuda
