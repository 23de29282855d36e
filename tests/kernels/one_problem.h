// One problem to vary: how it is completed, whether it is possible, how it is described; and shares of lists of them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

inline constexpr std::array all_modes{PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate,
                                      PaddingMode::circular};

// A small dense problem to vary: (2, 3, 20) -> 5 channels, 3 taps, padding 1, float32, plain order of summation.
Problem plain_problem();

// The same problem with the output length that its other sizes give, and contiguous tensors.
Problem with_contiguous_strides(Problem problem);

// Chooses the input length so that the output has `output_length` elements; 0 makes the output empty.
Problem with_output_length(Problem problem, int64_t output_length);

// Appends the problem with contiguous strides, unless its paddings or kernel are more than its input allows.
void append_if_possible(std::vector<Problem>& problems, const Problem& problem);

// False for sizes that no tensor can have: no input, a kernel longer than the padded input, or a border that the
// padding mode cannot fill.
bool is_possible(const Problem& problem);

std::string describe(const Problem& problem);

// All lists of problems are whole, unless TAPCONV_TEST_ONE_IN in the environment says that one in so many is enough, as
// where an emulator takes ten times as long. Then each call of a list takes every so-many-th problem, from one further
// on than the call before, so that the data types and directions that ask for a list have different shares of it.
int one_in();

// Did a test meet more of something than `least`? The whole of a list has to, a share of it need not.
bool reaches(int64_t count, int64_t least);
std::vector<Problem> share_of(const std::vector<Problem>& problems, const char* list = __builtin_FUNCTION());

}  // namespace tapconv::kernels::test
