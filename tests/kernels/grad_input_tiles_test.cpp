// The input gradient by tiles, forced wherever tiles fit, against the oracle. The phases of a stride are output
// channels that are written between each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cases.h"
#include "harness.h"
#include "kernels/choose.h"
#include "kernels/lowering/input_gradient.h"
#include "local_bound.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class GradInputTiles : public testing::TestWithParam<DataType> {
 protected:
  static std::vector<Problem> problems() {
    std::vector<Problem> all = geometries();
    for (const auto& list : {groups(), layouts(), random_problems(31, 300)}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    for (const int64_t stride : {2, 3, 4}) {
      for (const int64_t kernel_size : {2, 5, 6, 7, 12, 41}) {
        Problem problem = plain_problem();
        problem.in_channels = 6;
        problem.out_channels = 10;
        problem.groups = 2;
        problem.kernel_size = kernel_size;
        problem.stride = stride;
        problem.padding_left = kernel_size / 2;
        problem.padding_right = kernel_size / 3;
        problem.input_length = 301;
        all.push_back(with_contiguous_strides(problem));
      }
    }
    for (Problem& problem : all) problem.data_type = GetParam();
    return all;
  }

  // How many of the forward problems that the gradient is put as run by tiles, and how many of those have phases.
  static std::pair<int, int> tiled(const Problem& problem, const InstructionSet& set) {
    const InputRange range{0, problem.input_length, problem.batch, problem.input_strides, false};
    std::pair<int, int> count{0, 0};
    for (int64_t i = 0; i < forward_problem_count(problem, range); ++i) {
      const ForwardProblem lowered = forward_problem(problem, range, i);
      if (choose_forward(lowered.problem, lowered.variant, set, 1).algorithm != Algorithm::tiles) continue;
      ++count.first;
      if (lowered.variant.output_phases > 1) ++count.second;
    }
    return count;
  }
};

TEST_P(GradInputTiles, are_accurate) {
  uint64_t seed = 0;
  int tiles = 0;
  int with_phases = 0;
  for (Problem problem : problems()) {
    const Arguments arguments = random_arguments(problem, ++seed);
    const Sums expected = oracle(Direction::grad_input, problem, arguments);
    const Tensor magnitude = local_magnitude(Direction::grad_input, problem, arguments);
    problem.algorithm = seed % 3 == 0 ? AlgorithmRequest::winograd : AlgorithmRequest::fft;
    for (const InstructionSet* set : instruction_sets_under_test()) {
      const auto [some, phases] = tiled(problem, *set);
      if (some == 0) continue;
      tiles += some;
      with_phases += phases;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      const RunResult actual =
          run(Direction::grad_input, problem, *set, arguments, seed % 2 == 0 ? Guard::after : Guard::before, serial());
      ASSERT_TRUE(actual.margins_intact);
      ASSERT_TRUE(actual.gaps_intact);
      ASSERT_LE(local_error(problem, expected, magnitude, actual.result), local_roundings);
    }
  }
  EXPECT_TRUE(reaches(tiles, 100)) << tiles;
  EXPECT_TRUE(reaches(with_phases, 30)) << with_phases;
}

// NaN and infinity are where the direct sum has them, and the same bits come from any number of slots.
TEST_P(GradInputTiles, special_values_and_slots) {
  uint64_t seed = 100;
  for (Problem problem : problems()) {
    if (++seed % 5 != 0) continue;
    Arguments arguments = random_arguments(problem, seed);
    std::vector<double>& storage = seed % 2 == 0 ? arguments.output.storage : arguments.weight.storage;
    if (storage.empty()) continue;
    storage[seed % storage.size()] = seed % 3 == 0 ? std::nan("") : std::numeric_limits<double>::infinity();
    Problem direct = problem;
    direct.algorithm = AlgorithmRequest::direct;
    problem.algorithm = AlgorithmRequest::fft;
    for (const InstructionSet* set : instruction_sets_under_test()) {
      if (tiled(problem, *set).first == 0) continue;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      const RunResult plain = run(Direction::grad_input, direct, *set, arguments, Guard::after, serial());
      const RunResult alone = run(Direction::grad_input, problem, *set, arguments, Guard::after, serial());
      const RunResult shared = run(Direction::grad_input, problem, *set, arguments, Guard::after, threads(3));
      ASSERT_TRUE(alone.margins_intact && shared.margins_intact);
      ASSERT_EQ(alone.bytes, shared.bytes);
      for (size_t i = 0; i < plain.result.storage.size(); ++i) {
        const double a = plain.result.storage[i];
        const double b = alone.result.storage[i];
        ASSERT_EQ(std::isnan(a), std::isnan(b)) << "element " << i << ": " << a << " against " << b;
        if (std::isinf(a) || std::isinf(b)) {
          ASSERT_EQ(a, b) << "element " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GradInputTiles,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
