// The oracle against results worked out by hand.
#include "oracle.h"

#include <gtest/gtest.h>

#include "cases.h"

namespace tapconv::kernels::test {
namespace {

// One channel, input 1 2 3 4, weight 1 10 100, two padded samples on the left and one on the right.
Problem small_problem(PaddingMode mode) {
  Problem problem = plain_problem();
  problem.batch = problem.in_channels = problem.out_channels = 1;
  problem.input_length = 4;
  problem.kernel_size = 3;
  problem.padding_left = 2;
  problem.padding_right = 1;
  problem.padding_mode = mode;
  return with_contiguous_strides(problem);
}

std::vector<double> result(Direction direction, const Problem& problem) {
  Arguments arguments{empty_input(problem), empty_weight(problem), empty_output(problem), {}};
  arguments.input.storage = {1, 2, 3, 4};
  arguments.weight.storage = {1, 10, 100};
  arguments.output.storage = {1, 2, 3, 4, 5};
  arguments.output.storage.resize(static_cast<size_t>(problem.output_length));
  return oracle(direction, problem, arguments).value.storage;
}

TEST(Oracle, forward_in_every_padding_mode) {
  using Values = std::vector<double>;
  EXPECT_EQ(result(Direction::forward, small_problem(PaddingMode::zeros)), (Values{100, 210, 321, 432, 43}));
  EXPECT_EQ(result(Direction::forward, small_problem(PaddingMode::reflect)), (Values{123, 212, 321, 432, 343}));
  EXPECT_EQ(result(Direction::forward, small_problem(PaddingMode::replicate)), (Values{111, 211, 321, 432, 443}));
  EXPECT_EQ(result(Direction::forward, small_problem(PaddingMode::circular)), (Values{143, 214, 321, 432, 143}));
}

TEST(Oracle, stride_and_dilation) {
  Problem problem = small_problem(PaddingMode::zeros);
  problem.stride = 2;
  EXPECT_EQ(result(Direction::forward, with_contiguous_strides(problem)), (std::vector<double>{100, 321, 43}));
  problem.stride = 1;
  problem.dilation = 2;
  EXPECT_EQ(result(Direction::forward, with_contiguous_strides(problem)), (std::vector<double>{310, 420, 31}));
}

TEST(Oracle, derivatives) {
  using Values = std::vector<double>;
  const Problem zeros = small_problem(PaddingMode::zeros);
  EXPECT_EQ(result(Direction::grad_input, zeros), (Values{123, 234, 345, 450}));
  EXPECT_EQ(result(Direction::grad_weight, zeros), (Values{26, 40, 30}));
  // Copies on the borders give their part to the sample that they copy: 1 + 10 + 2 more on the left, 500 on the right.
  EXPECT_EQ(result(Direction::grad_input, small_problem(PaddingMode::replicate)), (Values{136, 234, 345, 950}));
}

TEST(Oracle, groups_see_their_own_channels) {
  Problem problem = plain_problem();
  problem.batch = 1;
  problem.in_channels = problem.out_channels = problem.groups = 2;
  problem.input_length = 2;
  problem.kernel_size = 1;
  problem.padding_left = problem.padding_right = 0;
  problem = with_contiguous_strides(problem);
  Arguments arguments{empty_input(problem), empty_weight(problem), empty_output(problem), {100, 200}};
  arguments.input.storage = {1, 2, 3, 4};
  arguments.weight.storage = {10, -1};
  const Sums sums = oracle(Direction::forward, problem, arguments);
  EXPECT_EQ(sums.value.storage, (std::vector<double>{110, 120, 197, 196}));
  EXPECT_EQ(sums.magnitude.storage, (std::vector<double>{110, 120, 203, 204}));
}

}  // namespace
}  // namespace tapconv::kernels::test
