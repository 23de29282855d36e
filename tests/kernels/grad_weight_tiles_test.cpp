// The weight gradient by tiles, forced wherever tiles fit, against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cases.h"
#include "harness.h"
#include "local_bound.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class GradWeightTiles : public testing::TestWithParam<DataType> {
 protected:
  // Problems of which many have enough output channels for channel lanes, or are depthwise, as tiles need.
  static std::vector<Problem> problems() {
    std::vector<Problem> all;
    for (const auto& list : {in_channel_and_kernel_sizes(), time_and_out_channel_tails(), groups(), batches(),
                             layouts(), blocked(), long_depthwise_filters(), random_problems(21, 200)}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    for (Problem& problem : all) {
      problem.data_type = GetParam();
      problem.algorithm = AlgorithmRequest::fft;
    }
    return all;
  }

  static bool by_tiles(const Problem& problem, const InstructionSet& set) {
    const Algorithm algorithm = plan_grad_weight(problem, set, 1).algorithm;
    return algorithm == Algorithm::grad_weight_tiles || algorithm == Algorithm::grad_weight_depthwise_tiles;
  }
};

TEST_P(GradWeightTiles, are_accurate) {
  uint64_t seed = 0;
  int forced = 0;
  for (const Problem& problem : problems()) {
    const Arguments arguments = random_arguments(problem, ++seed);
    const Sums expected = oracle(Direction::grad_weight, problem, arguments);
    const Tensor magnitude = local_magnitude(Direction::grad_weight, problem, arguments);
    for (const InstructionSet* set : instruction_sets_under_test()) {
      if (!by_tiles(problem, *set)) continue;
      ++forced;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      const RunResult actual =
          run(Direction::grad_weight, problem, *set, arguments, seed % 2 == 0 ? Guard::after : Guard::before, serial());
      ASSERT_TRUE(actual.margins_intact);
      ASSERT_TRUE(actual.gaps_intact);
      ASSERT_LE(local_error(problem, expected, magnitude, actual.result), local_roundings);
    }
  }
  EXPECT_TRUE(reaches(forced, 50)) << forced;
}

// NaN, infinities and numbers whose transform would overflow: in gradients they give what the direct sum gives, bit for
// bit. In samples they are where the direct sum has them and nowhere else, and touch no other tap.
TEST_P(GradWeightTiles, leave_special_values_to_the_direct_sum) {
  uint64_t seed = 100;
  const double largest = GetParam() == DataType::float64 ? 0x1p1023 : 0x1p127;
  std::vector<double> specials{std::nan(""), std::numeric_limits<double>::infinity()};
  if (GetParam() != DataType::float16) specials.push_back(largest);
  std::vector<Problem> large = blocked();
  for (const Problem& problem : long_depthwise_filters()) {
    if (problem.input_length > 300) large.push_back(problem);
  }
  for (const Problem& problem : large) {
    Problem tiled = problem;
    tiled.data_type = GetParam();
    tiled.algorithm = AlgorithmRequest::fft;
    Problem direct = tiled;
    direct.algorithm = AlgorithmRequest::direct;
    for (const double special : specials) {
      for (const bool in_gradient : {false, true}) {
        Arguments arguments = random_arguments(tiled, ++seed);
        std::vector<double>& storage = in_gradient ? arguments.output.storage : arguments.input.storage;
        storage[storage.size() / 2] = special;
        const Tensor magnitude = local_magnitude(Direction::grad_weight, tiled, arguments);
        for (const InstructionSet* set : instruction_sets_under_test()) {
          if (!by_tiles(tiled, *set)) continue;
          SCOPED_TRACE(std::string(set->name) + ", " + describe(tiled));
          const RunResult actual = run(Direction::grad_weight, tiled, *set, arguments, Guard::after, serial());
          const RunResult plain = run(Direction::grad_weight, direct, *set, arguments, Guard::after, serial());
          ASSERT_TRUE(actual.margins_intact);
          if (in_gradient) {
            ASSERT_EQ(actual.bytes, plain.bytes);
            continue;
          }
          for (size_t i = 0; i < magnitude.storage.size(); ++i) {
            // Sums of the largest numbers may overflow on the way, in any order.
            if (std::isfinite(special) && magnitude.storage[i] > largest / 4) continue;
            const double a = plain.result.storage[i];
            const double b = actual.result.storage[i];
            ASSERT_TRUE(std::isfinite(a) ? std::isfinite(b) : std::isnan(a) ? std::isnan(b) : a == b) << a << ", " << b;
            if (!std::isfinite(a)) continue;
            const double bound = 2 * local_roundings * unit_roundoff(tiled.data_type) * magnitude.storage[i];
            ASSERT_LE(std::fabs(a - b), bound) << "element " << i;
          }
        }
      }
    }
  }
}

TEST_P(GradWeightTiles, slots_do_not_change_a_bit) {
  uint64_t seed = 200;
  for (const Problem& problem : problems()) {
    if (++seed % 4 != 0) continue;
    const Arguments arguments = random_arguments(problem, seed);
    for (const InstructionSet* set : instruction_sets_under_test()) {
      if (!by_tiles(problem, *set)) continue;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      const RunResult alone = run(Direction::grad_weight, problem, *set, arguments, Guard::after, serial());
      const RunResult shared = run(Direction::grad_weight, problem, *set, arguments, Guard::after, threads(3));
      ASSERT_TRUE(shared.margins_intact);
      ASSERT_EQ(alone.bytes, shared.bytes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GradWeightTiles,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
