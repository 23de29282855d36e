// Rows of numbers of very different size side by side: masks, clicks, onsets, silence and growth.
#pragma once

#include <span>

#include "oracle.h"

namespace tapconv::kernels::test {

// The number for element i of `count` of a row, from one that is evenly spread over (-1, 1).
struct Pattern {
  const char* name;
  double (*at)(double even, int64_t i, int64_t count);
};

std::span<const Pattern> uneven_patterns();

// Changes every row of the tensor, rounded to numbers of the type.
void apply(const Pattern& pattern, DataType type, Tensor& tensor);

}  // namespace tapconv::kernels::test
