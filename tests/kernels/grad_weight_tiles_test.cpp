// The weight gradient by tiles, forced wherever tiles fit, against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cases.h"
#include "harness.h"
#include "kernels/planner.h"
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

  // For each pair of channels, all gradients times the largest sample: what a transform's rounding is measured by.
  static double magnitude(const Problem& p, const Arguments& arguments, int64_t o, int64_t c) {
    const int64_t channel = o / (p.out_channels / p.groups) * (p.in_channels / p.groups) + c;
    double gradients = 0;
    double largest = 0;
    for (int64_t n = 0; n < p.batch; ++n) {
      for (int64_t t = 0; t < p.output_length; ++t) gradients += std::fabs(arguments.output.at(n, o, t));
      for (int64_t i = 0; i < p.input_length; ++i) {
        largest = std::max(largest, std::fabs(arguments.input.at(n, channel, i)));
      }
    }
    return gradients * largest;
  }
};

TEST_P(GradWeightTiles, are_accurate) {
  uint64_t seed = 0;
  int forced = 0;
  for (const Problem& problem : problems()) {
    const Arguments arguments = random_arguments(problem, ++seed);
    const Sums expected = oracle(Direction::grad_weight, problem, arguments);
    for (const InstructionSet* set : instruction_sets_under_test()) {
      if (!by_tiles(problem, *set)) continue;
      ++forced;
      SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
      const RunResult actual =
          run(Direction::grad_weight, problem, *set, arguments, seed % 2 == 0 ? Guard::after : Guard::before, serial());
      ASSERT_TRUE(actual.margins_intact);
      ASSERT_TRUE(actual.gaps_intact);
      for (int64_t o = 0; o < problem.out_channels; ++o) {
        for (int64_t c = 0; c < problem.in_channels / problem.groups; ++c) {
          const double size = magnitude(problem, arguments, o, c);
          for (int64_t k = 0; k < problem.kernel_size; ++k) {
            const double exact = expected.value.at(o, c, k);
            const double bound = 8 * accumulation_roundoff(problem.data_type) * size +
                                 2 * unit_roundoff(problem.data_type) * std::fabs(exact) +
                                 std::fabs(exact - nearest(problem.data_type, exact));
            ASSERT_LE(std::fabs(actual.result.at(o, c, k) - exact), bound)
                << "weight " << o << ", " << c << ", " << k << ": got " << actual.result.at(o, c, k) << ", the sum is "
                << exact;
          }
        }
      }
    }
  }
  EXPECT_GT(forced, 50);
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
                         [](const auto& info) { return std::string(format_of(info.param).name); });

}  // namespace
}  // namespace tapconv::kernels::test
