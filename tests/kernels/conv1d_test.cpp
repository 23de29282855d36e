// Every direction of every problem in cases.h, in every data type, against the oracle.
#include <gtest/gtest.h>

#include <cmath>

#include "cases.h"
#include "harness.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

struct Parameters {
  Direction direction;
  DataType data_type;
};

class Conv1d : public testing::TestWithParam<Parameters> {
 protected:
  // Small integers: the result is the exactly rounded sum, to the last bit. Both ends of the buffers are guarded in
  // turn, and every other problem has no bias.
  void expect_exact(const std::vector<Problem>& problems) {
    uint64_t seed = 0;
    for (Problem problem : problems) {
      problem.data_type = GetParam().data_type;
      Arguments arguments = integer_arguments(problem, ++seed);
      if (seed % 2 == 0) arguments.bias.clear();
      const Tensor expected = oracle(GetParam().direction, problem, arguments).value;
      for (const InstructionSet* set : instruction_sets_under_test(GetParam().data_type)) {
        const Guard guard = seed % 4 < 2 ? Guard::after : Guard::before;
        check(
            problem, *set, arguments, guard,
            [&](size_t i, double value) { return value == nearest(problem.data_type, expected.storage[i]); }, expected);
        if (HasFatalFailure()) return;
      }
    }
  }

  // Arbitrary numbers: the error stays below `factor` roundings of the sum of absolute values, and one of the result.
  void expect_accurate(const std::vector<Problem>& problems, double factor) {
    uint64_t seed = 1000;
    for (Problem problem : problems) {
      problem.data_type = GetParam().data_type;
      const Arguments arguments = random_arguments(problem, ++seed);
      const Sums expected = oracle(GetParam().direction, problem, arguments);
      for (const InstructionSet* set : instruction_sets_under_test(GetParam().data_type)) {
        const Guard guard = seed % 2 ? Guard::after : Guard::before;
        check(
            problem, *set, arguments, guard,
            [&](size_t i, double value) {
              const double exact = expected.value.storage[i];
              const double bound = factor * accumulation_roundoff(problem.data_type) * expected.magnitude.storage[i] +
                                   std::fabs(exact - nearest(problem.data_type, exact)) +
                                   unit_roundoff(problem.data_type) * std::fabs(exact);
              return std::fabs(value - exact) <= bound;
            },
            expected.value);
        if (HasFatalFailure()) return;
      }
    }
  }

 private:
  template <typename Accept>
  void check(const Problem& problem, const InstructionSet& set, const Arguments& arguments, Guard guard, Accept accept,
             const Tensor& expected) {
    SCOPED_TRACE(std::string(set.name) + ", " + describe(problem));
    const RunResult actual = run(GetParam().direction, problem, set, arguments, guard, serial());
    ASSERT_TRUE(actual.margins_intact) << "wrote beside the result or the workspace";
    ASSERT_TRUE(actual.gaps_intact) << "wrote between the elements of the result";
    const std::vector<bool> reached = reached_elements(expected);
    for (size_t i = 0; i < reached.size(); ++i) {
      if (!reached[i]) continue;
      ASSERT_TRUE(accept(i, actual.result.storage[i]))
          << "element " << i << " of " << reached.size() << ": got " << actual.result.storage[i] << ", the sum is "
          << expected.storage[i];
    }
  }
};

TEST_P(Conv1d, tails_of_time_and_out_channels) { expect_exact(time_and_out_channel_tails()); }
TEST_P(Conv1d, tails_with_taps_first) {
  std::vector<Problem> problems = time_and_out_channel_tails();
  for (Problem& problem : problems) problem = with_taps_first(problem);
  expect_exact(problems);
}
TEST_P(Conv1d, few_outputs) { expect_exact(few_outputs()); }
TEST_P(Conv1d, single_taps) { expect_exact(single_taps()); }
TEST_P(Conv1d, long_strides) { expect_exact(long_strides()); }
TEST_P(Conv1d, strided_samples) { expect_exact(strided_samples()); }
TEST_P(Conv1d, in_channels_and_kernel_sizes) { expect_exact(in_channel_and_kernel_sizes()); }
TEST_P(Conv1d, geometries) { expect_exact(geometries()); }
TEST_P(Conv1d, groups) { expect_exact(groups()); }
TEST_P(Conv1d, batches) { expect_exact(batches()); }
TEST_P(Conv1d, layouts) { expect_exact(layouts()); }
TEST_P(Conv1d, around_matrix_tiles) { expect_exact(around_matrix_tiles()); }
TEST_P(Conv1d, short_depthwise_filters) { expect_exact(short_depthwise_filters()); }
TEST_P(Conv1d, random_problems) { expect_exact(random_problems(1, 300)); }
TEST_P(Conv1d, accuracy_of_random_problems) { expect_accurate(random_problems(2, 300), 8); }
TEST_P(Conv1d, accuracy_of_few_outputs) { expect_accurate(few_outputs(), 8); }
TEST_P(Conv1d, accuracy_of_blocked_problems) { expect_accurate(blocked(), 8); }

// Stride 0, as in x.expand(...) and in the gradient of y.sum().
TEST_P(Conv1d, expanded_arguments) {
  std::vector<Problem> problems;
  for (const int64_t group_count : {1, 2}) {
    Problem problem = plain_problem();
    problem.groups = group_count;
    problem.in_channels = problem.out_channels = 4;
    problem = with_contiguous_strides(problem);
    const ActivationStrides one_number{0, 0, 0};
    if (GetParam().direction != Direction::grad_input) problem.input_strides = one_number;
    if (GetParam().direction != Direction::forward) problem.output_strides = one_number;
    problems.push_back(problem);
    if (GetParam().direction != Direction::grad_weight) problem.weight_strides = {0, 0, 0};
    problems.push_back(problem);
    problem = with_contiguous_strides(problem);
    if (GetParam().direction != Direction::grad_input) problem.input_strides.channel = 0;
    if (GetParam().direction != Direction::forward) problem.output_strides.channel = 0;
    problems.push_back(problem);
  }
  expect_exact(problems);
}

std::string name_of_parameters(const testing::TestParamInfo<Parameters>& info) {
  return std::string(name_of(info.param.direction)) + "_" + name_of(info.param.data_type);
}

std::vector<Parameters> all_parameters() {
  std::vector<Parameters> all;
  for (const Direction direction : {Direction::forward, Direction::grad_input, Direction::grad_weight}) {
    for (const DataType type : {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16}) {
      all.push_back({direction, type});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Conv1d, testing::ValuesIn(all_parameters()), name_of_parameters);

}  // namespace
}  // namespace tapconv::kernels::test
