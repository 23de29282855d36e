// Copies what an edge reads out of the input and its borders, side by side.
#pragma once

#include <cstdint>

#include "kernels/core/parallel.h"
#include "kernels/problem.h"

namespace tapconv::kernels {

// A signal (batch, channels, length) and where it lies.
struct Signal {
  const void* samples;  // may be null where there are none
  int64_t length;
  ActivationStrides strides;
};

// An input between its borders. Of the left border the last samples are those that are read first.
struct BorderedSignal {
  Signal left;
  Signal input;
  Signal right;
};

// Copies the samples at positions [begin, end), counted from the input's first one, to rows (batch, channels, end -
// begin). `element_bytes` is 2, 4 or 8. The rows are shared by `slots` slots.
void gather(const BorderedSignal& signal, int64_t batch, int64_t channels, int64_t element_bytes, int64_t begin,
            int64_t end, void* to, int slots, const Parallel& parallel);

}  // namespace tapconv::kernels
