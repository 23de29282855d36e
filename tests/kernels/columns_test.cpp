// The gradients of a handful of outputs by columns: that they are taken, and that nobody can tell from a NaN. Their
// results are held against the oracle in conv1d_test.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cases.h"
#include "harness.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/lowering/input_gradient.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class Columns : public testing::TestWithParam<DataType> {};

TEST_P(Columns, are_taken_for_few_outputs) {
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    for (Problem problem : few_outputs()) {
      problem.data_type = GetParam();
      const bool enough = problem.in_channels / problem.groups * problem.kernel_size * 4 >= set->vector_bytes &&
                          problem.out_channels / problem.groups >= 8;
      if (!enough || problem.batch * problem.output_length > 32) continue;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      if (problem.batch * problem.output_length <= 8 || problem.kernel_size > problem.stride) {
        EXPECT_STREQ(plan_grad_input(problem, *set, 1).algorithm_name(), "grad_input_columns");
      }
      EXPECT_STREQ(plan_grad_weight(problem, *set, 1).algorithm_name(), "grad_weight_columns");
      problem = with_taps_first(problem);
      if (problem.kernel_size == 1) continue;
      EXPECT_STRNE(plan_grad_input(problem, *set, 1).algorithm_name(), "grad_input_columns");
      EXPECT_STRNE(plan_grad_weight(problem, *set, 1).algorithm_name(), "grad_weight_columns");
    }
  }
}

TEST_P(Columns, of_gradients_by_the_input_are_taken_for_more_outputs_of_many_channels) {
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    for (Problem problem : few_outputs()) {
      problem.data_type = GetParam();
      if (problem.batch * problem.output_length <= 32 || problem.out_channels / problem.groups < 96) continue;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      EXPECT_STREQ(plan_grad_input(problem, *set, 1).algorithm_name(), "grad_input_columns");
    }
  }
}

// Where a sample is read by one tap alone, weights are read where they lie, unless they have to be widened.
TEST_P(Columns, of_single_taps_are_weights_that_lie_in_order) {
  const bool is_own_type = GetParam() == DataType::float32 || GetParam() == DataType::float64;
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    for (Problem problem : single_taps()) {
      problem.data_type = GetParam();
      const int64_t outputs = problem.batch * problem.output_length;
      // Few outputs are columns, and many of them read packed weights.
      if (outputs <= 8 || outputs > 40 || problem.kernel_size < problem.stride) continue;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      if (is_own_type) {
        EXPECT_STREQ(plan_grad_input(problem, *set, 1).algorithm_name(), "grad_input");
      }
      const InputRange all{0, problem.input_length, problem.batch, problem.input_strides, false};
      const ForwardProblem lowered = forward_problem(problem, all, 0);
      const DirectPlan plan = plan_direct(lowered.problem, lowered.variant, *set, 1, /*packed_ahead=*/false);
      EXPECT_EQ(plan.weight_columns, is_own_type);
      EXPECT_NE(plan.pack_weight, is_own_type);
    }
  }
}

// NaN and infinity are where the other ways have them.
TEST_P(Columns, have_special_values_where_others_have_them) {
  uint64_t seed = 0;
  int special_results = 0;
  for (Problem problem : few_outputs()) {
    problem.data_type = GetParam();
    Arguments arguments = random_arguments(problem, ++seed);
    for (Tensor* tensor : {&arguments.input, &arguments.weight, &arguments.output}) {
      if (seed % 4 == 0 && tensor != &arguments.weight) continue;
      const double special = seed % 3 == 0 ? std::nan("") : std::numeric_limits<double>::infinity();
      tensor->storage[seed * 7 % tensor->storage.size()] = special;
    }
    Problem otherwise = problem;  // columns are not asked for a transform, and may be replaced by the direct sum
    otherwise.algorithm = AlgorithmRequest::winograd;
    for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
      for (const Direction direction : {Direction::grad_input, Direction::grad_weight}) {
        SCOPED_TRACE(std::string(set->name) + ", " + name_of(direction) + ", " + describe(problem));
        const RunResult columns = run(direction, problem, *set, arguments, Guard::after, serial());
        const RunResult others = run(direction, otherwise, *set, arguments, Guard::before, serial());
        ASSERT_TRUE(columns.margins_intact);
        for (size_t i = 0; i < columns.result.storage.size(); ++i) {
          const double a = columns.result.storage[i];
          const double b = others.result.storage[i];
          ASSERT_EQ(std::isnan(a), std::isnan(b)) << "element " << i << ": " << a << " against " << b;
          if (std::isinf(a) || std::isinf(b)) {
            ASSERT_EQ(a, b) << "element " << i;
          }
          special_results += !std::isfinite(a);
        }
      }
    }
  }
  EXPECT_TRUE(reaches(special_results, 1000)) << special_results;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Columns,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
