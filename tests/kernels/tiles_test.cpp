// The tile algorithm: every transform on every problem it fits, forced, against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "cases.h"
#include "harness.h"
#include "kernels/algorithms.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/forward_variant.h"
#include "local_bound.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

using Forced = std::function<void(const Plan& plan, const std::string& what)>;

// One in so many.
void append_some(std::vector<Problem>& problems, const std::vector<Problem>& more, size_t one_in) {
  for (size_t i = 0; i < more.size(); i += one_in) problems.push_back(more[i]);
}

class Tiles : public testing::TestWithParam<DataType> {
 protected:
  // Every transform and way of blocking that fits; of a long list of problems, each takes some of them in turn.
  static void for_each_plan(const Problem& problem, int slots, const Forced& body, uint64_t one_in = 1,
                            uint64_t turn = 0) {
    for (const InstructionSet* set : instruction_sets_under_test()) {
      for (int i = 0; i < tile_transform_count; ++i) {
        for (const TileBlocking blocking : all_tile_blockings) {
          const auto choice = plan_tiles(problem, plain_variant(problem), *set, slots, TileTransform(i), blocking);
          if (!choice || turn++ % one_in != 0) continue;
          body(*choice, std::string(set->name) + ", transform " + std::to_string(i) + ", blocking " +
                            std::to_string(static_cast<int>(blocking)) + ", " + describe(problem));
          if (testing::Test::HasFatalFailure()) return;
        }
      }
      for (int i = 0; i < fourier_transform_count; ++i) {
        const auto choice = plan_depthwise_tiles(problem, plain_variant(problem), *set, slots, TileTransform(i));
        if (!choice || turn++ % one_in != 0) continue;
        body(*choice,
             std::string(set->name) + ", depthwise, transform " + std::to_string(i) + ", " + describe(problem));
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }

  void expect_accurate(const std::vector<Problem>& problems) {
    uint64_t seed = 0;
    for (Problem problem : problems) {
      problem.data_type = GetParam();
      Arguments arguments = random_arguments(problem, ++seed);
      if (seed % 2 == 0) arguments.bias.clear();
      expect_accurate(problem, arguments, 1 + problems.size() / 50, seed);
      if (HasFatalFailure()) return;
    }
  }

  static void expect_accurate(const Problem& problem, const Arguments& arguments, uint64_t one_in, uint64_t turn) {
    const Sums expected = oracle(Direction::forward, problem, arguments);
    const Tensor magnitude = local_magnitude(Direction::forward, problem, arguments);
    const auto check = [&](const Plan& plan, const std::string& what) {
      SCOPED_TRACE(what);
      const Guard guard = turn % 4 < 2 ? Guard::after : Guard::before;
      const RunResult actual = run_forward(plan, arguments, guard, serial());
      ASSERT_TRUE(actual.margins_intact);
      ASSERT_TRUE(actual.gaps_intact);
      ASSERT_LE(local_error(problem, expected, magnitude, actual.result), local_roundings);
    };
    for_each_plan(problem, 1, check, one_in, turn);
  }
};

TEST_P(Tiles, in_channels_and_kernel_sizes) { expect_accurate(in_channel_and_kernel_sizes()); }
TEST_P(Tiles, tails_of_time_and_out_channels) { expect_accurate(time_and_out_channel_tails()); }
TEST_P(Tiles, groups) { expect_accurate(groups()); }
TEST_P(Tiles, batches) { expect_accurate(batches()); }
TEST_P(Tiles, layouts) { expect_accurate(layouts()); }
TEST_P(Tiles, random_problems) { expect_accurate(random_problems(11, 300)); }
TEST_P(Tiles, blocked) { expect_accurate(blocked()); }

TEST_P(Tiles, whole_vectors_of_out_channels) {
  expect_accurate(whole_vectors_of_out_channels());
  bool together = false;
  for (Problem problem : whole_vectors_of_out_channels()) {
    problem.data_type = GetParam();
    for_each_plan(problem, 1, [&](const Plan& plan, const std::string&) {
      together = together || (plan.algorithm == Algorithm::tiles && plan.tiles.tiles.channels_together > 1);
    });
  }
  // A share of the list need not have such a problem.
  EXPECT_TRUE(together || one_in() > 1);
}

TEST_P(Tiles, geometries) { expect_accurate(geometries()); }

TEST_P(Tiles, long_depthwise_filters) { expect_accurate(long_depthwise_filters()); }

// Rows of numbers that a transform may lose the most digits of: at(i) of `count`.
struct Adversary {
  const char* name;
  double (*at)(int64_t i, int64_t count);
};

constexpr Adversary adversaries[] = {
    {"a huge impulse beside tiny values", [](int64_t i, int64_t count) { return i == count / 3 ? 1e4 : 1e-4; }},
    {"alternating signs", [](int64_t i, int64_t) { return i % 2 == 0 ? 1.0 : -1.0; }},
    {"cancelling halves", [](int64_t i, int64_t count) { return i < count / 2 ? 1 + 1e-3 * double(i) : -1.0; }},
    {"growing by a factor of 1e6",
     [](int64_t i, int64_t count) { return 1e-3 * std::pow(1e6, double(i) / double(count)); }},
};

void fill_rows(Tensor& tensor, const Adversary& adversary, DataType type) {
  for (int64_t row = 0; row < tensor.sizes[0] * tensor.sizes[1]; ++row) {
    for (int64_t i = 0; i < tensor.sizes[2]; ++i) {
      // Channels differ a little, or all sums of many of them would be alike.
      tensor.at(row / tensor.sizes[1], row % tensor.sizes[1], i) =
          nearest(type, adversary.at(i, tensor.sizes[2]) * (1 + 0.01 * double(row % 7)));
    }
  }
}

TEST_P(Tiles, adversarial_numbers) {
  std::vector<Problem> problems;
  for (const int64_t kernel_size : {3, 7, 16, 51}) {
    Problem problem = plain_problem();
    problem.in_channels = kernel_size == 3 ? 16 : 2;
    problem.kernel_size = kernel_size;
    problem.algorithm = AlgorithmRequest::automatic;
    problem.data_type = GetParam();
    problems.push_back(with_contiguous_strides(with_output_length(problem, 301)));
    problem.groups = problem.out_channels = problem.in_channels;
    problems.push_back(with_contiguous_strides(with_output_length(problem, 301)));
  }
  uint64_t seed = 300;
  for (const Problem& problem : problems) {
    for (const Adversary& samples : adversaries) {
      for (const Adversary& weights : adversaries) {
        SCOPED_TRACE(std::string(samples.name) + " by " + weights.name);
        Arguments arguments = random_arguments(problem, ++seed);
        fill_rows(arguments.input, samples, GetParam());
        fill_rows(arguments.weight, weights, GetParam());
        expect_accurate(problem, arguments, 1, seed);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// A NaN or an infinity in the input or the weight, or numbers whose transform would overflow, leave NaN and infinity
// where the direct sum has them, and nowhere else.
TEST_P(Tiles, special_values_stay_in_their_places) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double largest = GetParam() == DataType::float64   ? 0x1p1023
                         : GetParam() == DataType::float16 ? 65504.0
                                                           : 0x1p127;
  const double end_of_range = GetParam() == DataType::float64   ? std::numeric_limits<double>::max()
                              : GetParam() == DataType::float16 ? 65504.0
                                                                : 0x1.fep127;
  std::vector<Problem> problems = random_problems(12, 15);
  for (const Problem& problem : blocked()) problems.push_back(problem);
  append_some(problems, whole_vectors_of_out_channels(), 5);
  uint64_t seed = 100;
  for (Problem problem : problems) {
    problem.data_type = GetParam();
    for (const double special : {std::nan(""), infinity, -infinity, largest, -largest}) {
      for (const bool in_weight : {false, true}) {
        Arguments arguments = random_arguments(problem, ++seed);
        std::vector<double>& storage = in_weight ? arguments.weight.storage : arguments.input.storage;
        for (size_t i = seed * 7 % storage.size(); i < storage.size(); i += 1 + storage.size() / 3) {
          storage[i] = special;
        }
        std::map<const InstructionSet*, RunResult> direct_results;
        const auto check = [&](const Plan& plan, const std::string& what) {
          SCOPED_TRACE(what + (in_weight ? ", weight " : ", input ") + std::to_string(special));
          const InstructionSet* set = plan.call().instruction_set;
          if (!direct_results.contains(set)) {
            const Plan direct_plan = plan_direct(problem, plain_variant(problem), *set, 1);
            direct_results.emplace(set, run_forward(direct_plan, arguments, Guard::after, serial()));
          }
          const RunResult& direct = direct_results.at(set);
          const RunResult actual = run_forward(plan, arguments, Guard::after, serial());
          ASSERT_TRUE(actual.margins_intact);
          for (size_t i = 0; i < direct.result.storage.size(); ++i) {
            const double a = direct.result.storage[i];
            const double b = actual.result.storage[i];
            ASSERT_EQ(std::isnan(a), std::isnan(b)) << "element " << i << ": " << a << " against " << b;
            if (std::isinf(a) != std::isinf(b)) {
              // Next to the end of the range, roundings of two ways may fall to either side of it.
              const double finite = std::isinf(a) ? b : a;
              ASSERT_EQ(std::signbit(a), std::signbit(b)) << "element " << i;
              ASSERT_GE(std::fabs(finite), 0.999 * end_of_range) << "element " << i << ": " << a << " against " << b;
            } else if (std::isinf(a)) {
              ASSERT_EQ(a, b) << "element " << i;
            }
          }
        };
        for_each_plan(problem, 1, check, 4, seed);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// The same bits, however many slots share the work, also where blocks are left to the direct sum.
TEST_P(Tiles, slots_do_not_change_a_bit) {
  std::vector<Problem> problems = blocked();
  for (const Problem& problem : random_problems(13, 20)) problems.push_back(problem);
  append_some(problems, whole_vectors_of_out_channels(), 4);
  uint64_t seed = 200;
  for (Problem problem : problems) {
    problem.data_type = GetParam();
    for (const bool special : {false, true}) {
      Arguments arguments = random_arguments(problem, ++seed);
      if (special) arguments.input.storage[arguments.input.storage.size() / 3] = std::nan("");
      std::vector<std::vector<std::byte>> alone;
      const auto run_alone = [&](const Plan& plan, const std::string&) {
        alone.push_back(run_forward(plan, arguments, Guard::after, serial()).bytes);
      };
      for_each_plan(problem, 1, run_alone, 2, seed);
      size_t number = 0;
      const auto run_shared = [&](const Plan& plan, const std::string& what) {
        SCOPED_TRACE(what);
        const RunResult shared = run_forward(plan, arguments, Guard::after, threads(3));
        ASSERT_TRUE(shared.margins_intact);
        ASSERT_EQ(alone[number++], shared.bytes);
      };
      for_each_plan(problem, 3, run_shared, 2, seed);
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Tiles,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
