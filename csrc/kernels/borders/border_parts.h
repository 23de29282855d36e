// A convolution with borders, divided into problems without any.
//
// A border is a signal whose samples take the place of padding: the left one is read before the first sample of the
// input, the right one after the last. Positions count from the input's first sample, so that the left border ends at
// position -1, and the right one begins at the input's length. Padding beyond a border is zeros.
//
// Outputs that read the input alone are an ordinary problem over the input where it lies. The others are edges: what
// they read is at most some filter lengths, which are gathered side by side (gather.h) and are an ordinary problem too.
// So nothing below knows of borders, and no copy of the signal is made, unless that is cheaper than a further call.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::kernels {

// How many samples of each border are read: at most the padding on its side.
struct BorderLengths {
  int64_t left;
  int64_t right;
};

// Outputs [first_output, end_output), which read the samples at positions [begin, end), and zeros beside them.
struct BorderPart {
  int64_t first_output;
  int64_t end_output;
  int64_t begin;
  int64_t end;
  bool gathered;  // some of the samples are a border's

  int64_t outputs() const { return end_output - first_output; }
  int64_t samples() const { return end - begin; }
};

struct BorderParts {
  int count;
  std::array<BorderPart, 3> parts;  // in the order of their outputs

  const BorderPart* begin() const { return parts.data(); }
  const BorderPart* end() const { return parts.data() + count; }
};

// The parts of a problem whose padding is zeros. `problem.padding_left` and `padding_right` are those of the whole,
// borders included.
BorderParts border_parts(const Problem& problem, const BorderLengths& borders);

// All outputs as one part, which reads all samples of the input and of the borders.
BorderPart whole_part(const Problem& problem, const BorderLengths& borders);

// The zeros that a part reads before its first sample, and after its last one.
int64_t zeros_before(const Problem& problem, const BorderPart& part);
int64_t zeros_after(const Problem& problem, const BorderPart& part);

// The part as a problem of its own: over the input where it lies, or over rows that were gathered side by side. Its
// output is that of the whole from part.first_output on.
Problem problem_of(const Problem& problem, const BorderPart& part);

}  // namespace tapconv::kernels
