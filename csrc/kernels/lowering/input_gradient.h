// The gradient by the input is put as forward problems.
//
// Input position i = s * v + q * dilation - padding_left, where s is the stride, is reached by the taps k = q + j *
// period from the outputs v - j * step, where period * dilation = s * step is the least common multiple of s and the
// dilation. So the phases q of one input channel are so many output channels of one forward problem at stride 1 (of
// two, where some phases have a tap less), over the same rows of grad_output. No zero-stuffed gradient is made, and
// each row is copied once for all phases. Where a long dilation spreads the phases far apart, the positions of each
// residue modulo s form a forward problem instead.
#pragma once

#include <cstdint>

#include "kernels/core/forward_variant.h"

namespace tapconv::kernels {

// A range is the input positions [begin, end), padded ones included, of `samples` samples, to be written at `strides`.
struct InputRange {
  int64_t begin;
  int64_t end;
  int64_t samples;
  ActivationStrides strides;
  bool wide;  // written in the compute type
};

// Returns the range of all samples of the input, in its own type.
inline InputRange whole_input(const Problem& p) { return {0, p.input_length, p.batch, p.input_strides, false}; }

struct ForwardProblem {
  Problem problem;
  ForwardVariant variant;
  int64_t weight_offset;  // elements from the weight's start to its first tap
  int64_t output_offset;  // elements from the range's start to its first output
};

// These return how many forward problems the range takes, and the one of that number.
int64_t forward_problem_count(const Problem& problem, const InputRange& range);
ForwardProblem forward_problem(const Problem& problem, const InputRange& range, int64_t number);

// Says whether the forward problems write every position of the range. Positions that no tap reaches are left to
// fill_zeros.
bool reaches_all(const Problem& problem, const InputRange& range);
void fill_zeros(const Problem& problem, const InputRange& range, int64_t element_bytes, void* to);

}  // namespace tapconv::kernels
