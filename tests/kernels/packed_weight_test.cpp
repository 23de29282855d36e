// Weights packed ahead: the same sums as without, for any length.
#include <gtest/gtest.h>

#include <cmath>

#include "cases.h"
#include "harness.h"
#include "kernels/algorithms.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/few_outputs/out_lane_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/forward_variant.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class PackedWeights : public testing::TestWithParam<DataType> {
 protected:
  // Sums in plain order: every bit is that of the call with the plain weight.
  static void expect_the_same_bits(const std::vector<Problem>& problems, uint64_t one_in = 1) {
    uint64_t seed = 0;
    for (Problem problem : problems) {
      if (++seed % one_in != 0 || problem.out_channels == 0 || problem.in_channels == 0) continue;
      problem.data_type = GetParam();
      problem.algorithm = AlgorithmRequest::direct;
      // Weights are packed as if they lay contiguously, wherever they do lie.
      problem.weight_strides = with_contiguous_strides(problem).weight_strides;
      Arguments arguments = random_arguments(problem, seed);
      if (seed % 2 == 0) arguments.bias.clear();
      const Guard guard = seed % 4 < 2 ? Guard::after : Guard::before;
      for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        PackedArguments packed(plan_weight_packing(problem, *set, 1), arguments, guard, serial());
        ASSERT_TRUE(packed.margins_intact());
        const RunResult actual = packed.run(problem, *set, arguments, guard, serial());
        ASSERT_TRUE(actual.margins_intact);
        ASSERT_TRUE(actual.gaps_intact);
        ASSERT_EQ(actual.bytes, run(Direction::forward, problem, *set, arguments, guard, serial()).bytes);
      }
    }
  }
};

TEST_P(PackedWeights, tails_of_time_and_out_channels) { expect_the_same_bits(time_and_out_channel_tails(), 3); }
TEST_P(PackedWeights, in_channels_and_kernel_sizes) { expect_the_same_bits(in_channel_and_kernel_sizes()); }
TEST_P(PackedWeights, geometries) { expect_the_same_bits(geometries(), 4); }
TEST_P(PackedWeights, groups) { expect_the_same_bits(groups()); }
TEST_P(PackedWeights, batches) { expect_the_same_bits(batches()); }
TEST_P(PackedWeights, layouts) { expect_the_same_bits(layouts()); }
TEST_P(PackedWeights, random_problems) { expect_the_same_bits(random_problems(21, 100)); }
TEST_P(PackedWeights, blocked) { expect_the_same_bits(blocked()); }

// Short outputs of several samples, which a call folds into one row, read the same register tiles.
TEST_P(PackedWeights, folded_samples) {
  uint64_t seed = 300;
  int taken = 0;
  for (const int64_t batch : {5, 16, 33}) {
    for (const int64_t outputs : {1, 3, 6}) {
      for (const int64_t out_channels : {4, 13}) {
        Problem problem = plain_problem();
        problem.data_type = GetParam();
        problem.algorithm = AlgorithmRequest::direct;
        ++seed;
        problem.batch = batch;
        problem.groups = 1 + static_cast<int64_t>(seed % 2);
        problem.in_channels = problem.groups * (32 + static_cast<int64_t>(seed % 3));
        problem.out_channels = problem.groups * out_channels;
        problem.stride = 1 + static_cast<int64_t>(seed % 3);
        problem = with_output_length(problem, outputs);
        if (!is_possible(problem)) continue;
        const Arguments arguments = random_arguments(problem, seed);
        const Guard guard = seed % 2 == 0 ? Guard::after : Guard::before;
        for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
          SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
          const DirectPlan folded = plan_cheapest_direct(problem, plain_variant(problem), *set, 1, true);
          taken += folded.folded ? 1 : 0;
          // Packed for a call that folds nothing.
          Problem typical = problem;
          typical.batch = 1;
          PackedArguments packed(plan_weight_packing(typical, *set, 1), arguments, guard, serial());
          const RunResult actual = packed.run(problem, *set, arguments, guard, serial(), folded);
          ASSERT_TRUE(actual.margins_intact);
          ASSERT_TRUE(actual.gaps_intact);
          const DirectPlan plain = plan_cheapest_direct(problem, plain_variant(problem), *set, 1);
          ASSERT_EQ(plain.folded, folded.folded);
          ASSERT_EQ(actual.bytes, run_forward(plain, arguments, guard, serial()).bytes);
          const Plan by_three = plan_cheapest_direct(problem, plain_variant(problem), *set, 3, true);
          ASSERT_EQ(actual.bytes, packed.run(problem, *set, arguments, guard, threads(3), by_three).bytes);
        }
      }
    }
  }
  EXPECT_GT(taken, 0);
}

// As many taps in each segment of a row, but for segments that lack the last: what Winograd's tiles take.
std::vector<Problem> few_taps(int64_t taps) {
  std::vector<Problem> problems;
  for (const int64_t kernel_size : {taps, 2 * taps - 1, 2 * taps, 3 * taps - 2, 3 * taps}) {
    for (const int64_t outputs : {1, 4, 5, 63, 200}) {
      for (const int64_t channels : {1, 4, 17}) {
        Problem problem = plain_problem();
        problem.kernel_size = kernel_size;
        problem.stride = (kernel_size + taps - 1) / taps;
        problem.dilation = 1 + channels % 2 * 3;
        problem.groups = 1 + outputs % 2;
        problem.in_channels = problem.groups * channels;
        problem.out_channels = problem.groups * (channels + 2);
        problem = with_output_length(problem, outputs);
        if (is_possible(problem)) problems.push_back(problem);
      }
    }
  }
  return share_of(problems);
}

// Filters that were transformed ahead are those that a call would have made, whichever length they were packed for.
TEST_P(PackedWeights, filters_of_every_transform) {
  std::vector<Problem> problems = random_problems(22, 25);
  for (const Problem& problem : blocked()) problems.push_back(problem);
  for (const int64_t taps : {2, 3}) {
    for (const Problem& problem : few_taps(taps)) problems.push_back(problem);
  }
  for (const Problem& problem : whole_vectors_of_out_channels()) problems.push_back(problem);
  std::vector<int> compared(2 * tile_transform_count);
  uint64_t seed = 500;
  for (Problem problem : problems) {
    problem.data_type = GetParam();
    const Arguments arguments = random_arguments(problem, ++seed);
    const Guard guard = seed % 2 == 0 ? Guard::after : Guard::before;
    for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
      for (int i = 0; i < 2 * tile_transform_count; ++i) {
        const auto transform = static_cast<TileTransform>(i / 2);
        const FilterLayout layout{transform, i % 2 != 0};
        // Half of the Fourier transforms, by turns.
        if (is_fourier(transform) && (seed + seed / 8 + static_cast<uint64_t>(i / 2)) % 2 != 0) continue;
        problem.algorithm = is_fourier(transform) ? AlgorithmRequest::fft : AlgorithmRequest::winograd;
        SCOPED_TRACE(std::string(set->name) + ", transform " + std::to_string(i / 2) +
                     (layout.lanes ? ", filter lanes, " : ", ") + describe(problem));
        Problem typical = problem;
        typical.batch = 1;
        typical.output_length = 1000;
        const WeightPacking packing = plan_weight_packing(typical, *set, 1, layout);
        if (packing.header.filters_at == 0) continue;
        PackedArguments packed(packing, arguments, guard, serial());
        ASSERT_TRUE(packed.margins_intact());
        const auto in_call = plan_tiles(problem, plain_variant(problem), *set, 1, transform,
                                        layout.lanes ? TileBlocking::filter_lanes : TileBlocking::private_tiles);
        if (!in_call) continue;
        const RunResult actual = packed.run(problem, *set, arguments, guard, serial());
        ASSERT_TRUE(actual.margins_intact);
        ASSERT_EQ(actual.bytes, run_forward(*in_call, arguments, guard, serial()).bytes);
        ++compared[static_cast<size_t>(i)];
        if (seed % 8 == 0) {
          PackedArguments by_three(plan_weight_packing(problem, *set, 3, layout), arguments, guard, threads(3));
          ASSERT_EQ(actual.bytes, by_three.run(problem, *set, arguments, guard, threads(3)).bytes);
        }
      }
    }
  }
  for (size_t i = 0; i < compared.size() && one_in() == 1; ++i) {
    EXPECT_GT(compared[i], 5) << "transform " << i / 2 << (i % 2 != 0 ? ", filter lanes" : "");
  }
}

// Filters whose taps were brought into the lanes ahead are those that a call reads by itself.
TEST_P(PackedWeights, taps_in_lanes) {
  std::vector<int> compared(tile_transform_count);
  uint64_t seed = 600;
  for (Problem problem : whole_vectors_of_out_channels()) {
    problem.data_type = GetParam();
    const Arguments arguments = random_arguments(problem, ++seed);
    const Guard guard = seed % 2 == 0 ? Guard::after : Guard::before;
    for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
      Problem typical = problem;
      typical.algorithm = AlgorithmRequest::automatic;
      typical.batch = 1;
      typical.output_length = 200;
      const WeightPacking packing = plan_weight_packing(typical, *set, 1, std::nullopt, true);
      ASSERT_GT(packing.header.taps_at, 0);
      PackedArguments packed(packing, arguments, guard, serial());
      ASSERT_TRUE(packed.margins_intact());
      PackedArguments by_three(plan_weight_packing(typical, *set, 3, std::nullopt, true), arguments, guard, threads(3));
      ASSERT_TRUE(std::ranges::equal(packed.bytes(), by_three.bytes()));
      for (int i = 0; i < tile_transform_count; ++i) {
        const auto transform = static_cast<TileTransform>(i);
        SCOPED_TRACE(std::string(set->name) + ", transform " + std::to_string(i) + ", " + describe(problem));
        const auto plan = [&](int slots, FiltersAhead ahead) {
          return plan_tiles(problem, plain_variant(problem), *set, slots, transform, TileBlocking::filter_lanes, ahead);
        };
        const auto in_call = plan(1, FiltersAhead::nothing);
        if (!in_call) continue;
        const auto by_taps = plan(1, FiltersAhead::in_lanes);
        ASSERT_TRUE(by_taps);
        const RunResult actual = packed.run(problem, *set, arguments, guard, serial(), *by_taps);
        ASSERT_TRUE(actual.margins_intact);
        ASSERT_TRUE(actual.gaps_intact);
        ASSERT_EQ(actual.bytes, run_forward(*in_call, arguments, guard, serial()).bytes);
        const auto slots = plan(3, FiltersAhead::in_lanes);
        ASSERT_EQ(actual.bytes, packed.run(problem, *set, arguments, guard, threads(3), *slots).bytes);
        ++compared[static_cast<size_t>(i)];
      }
    }
  }
  for (size_t i = 0; i < compared.size() && one_in() == 1; ++i) EXPECT_GT(compared[i], 3) << "transform " << i;
}

// A call that asks for another family of transforms than the one packed gets what it asked for, from the plain weight.
TEST_P(PackedWeights, filters_of_a_transform_that_a_call_does_not_allow) {
  Problem problem = plain_problem();
  problem.data_type = GetParam();
  problem.in_channels = 16;
  problem.out_channels = 24;
  problem = with_output_length(problem, 400);
  const Arguments arguments = random_arguments(problem, 7);
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    for (const TileTransform transform : {TileTransform::fourier16, TileTransform::winograd_three_taps}) {
      problem.algorithm = is_fourier(transform) ? AlgorithmRequest::fft : AlgorithmRequest::winograd;
      PackedArguments packed(plan_weight_packing(problem, *set, 1, FilterLayout{transform, false}), arguments,
                             Guard::after, serial());
      for (const AlgorithmRequest asked :
           {AlgorithmRequest::direct, is_fourier(transform) ? AlgorithmRequest::winograd : AlgorithmRequest::fft}) {
        Problem other = problem;
        other.algorithm = asked;
        ASSERT_EQ(packed.run(other, *set, arguments, Guard::after, serial()).bytes,
                  run(Direction::forward, other, *set, arguments, Guard::after, serial()).bytes);
      }
    }
  }
}

// A transform cannot hold them: calls sum directly, and give what the direct sum gives.
TEST_P(PackedWeights, weights_that_leave_the_range_of_a_transform) {
  Problem problem = plain_problem();
  problem.data_type = GetParam();
  problem.algorithm = AlgorithmRequest::fft;
  Arguments arguments = random_arguments(problem, 1);
  arguments.weight.storage[0] = std::nan("");
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    const WeightPacking packing = plan_weight_packing(problem, *set, 1, FilterLayout{TileTransform::fourier8, false});
    ASSERT_GT(packing.header.filters_at, 0);
    PackedArguments packed(packing, arguments, Guard::after, serial());
    const RunResult actual = packed.run(problem, *set, arguments, Guard::after, serial());
    for (int64_t o = 0; o < problem.out_channels; ++o) {
      ASSERT_EQ(std::isnan(actual.result.at(0, o, 5)), o == 0);
    }
  }
}

// Lanes that are output channels: tails of both register tile sides, every geometry, and the same bits for any slots.
TEST_P(PackedWeights, few_outputs) {
  uint64_t seed = 900;
  int taken = 0;
  for (const int64_t outputs : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 31, 64}) {
    for (const int64_t out_channels : {16, 17, 24, 31, 40, 100}) {
      Problem problem = plain_problem();
      problem.data_type = GetParam();
      problem.algorithm = AlgorithmRequest::automatic;
      ++seed;
      problem.batch = 1 + static_cast<int64_t>(seed % 3);
      problem.groups = seed % 5 == 0 ? 2 : 1;
      problem.in_channels = problem.groups * (seed % 7 == 0 ? 70 : 3);
      problem.out_channels = problem.groups * out_channels;
      problem.kernel_size = 1 + static_cast<int64_t>(seed % 4);
      problem.stride = 1 + static_cast<int64_t>(seed % 2);
      problem.dilation = seed % 11 == 0 ? 30 : 1 + static_cast<int64_t>(seed % 3);
      problem.padding_mode = seed % 2 == 0 ? PaddingMode::zeros : PaddingMode::replicate;
      problem = with_output_length(problem, outputs);
      if (!is_possible(problem)) continue;
      if (seed % 3 == 0) {
        problem.output_strides = {outputs * problem.out_channels, 1, problem.out_channels};
      }
      Arguments arguments = integer_arguments(problem, seed);
      if (seed % 4 == 0) arguments.bias.clear();
      const Tensor expected = oracle(Direction::forward, problem, arguments).value;
      for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        const auto plan = plan_out_lanes(problem, *set, 1);
        ASSERT_TRUE(plan);
        Problem typical = problem;
        typical.batch = 1;
        typical.output_length = 1;
        const Guard guard = seed % 2 == 0 ? Guard::after : Guard::before;
        const WeightPacking packing = plan_weight_packing(typical, *set, 1);
        if (packing.header.out_lanes_at == 0) continue;  // not worth it for this little
        ++taken;
        PackedArguments packed(packing, arguments, guard, serial());
        const RunResult actual = packed.run(problem, *set, arguments, guard, serial(), *plan);
        ASSERT_TRUE(actual.margins_intact);
        ASSERT_TRUE(actual.gaps_intact);
        for (size_t i = 0; i < expected.storage.size(); ++i) {
          ASSERT_EQ(actual.result.storage[i], nearest(GetParam(), expected.storage[i])) << i;
        }
        if (seed % 4 != 1) continue;
        const Arguments any = random_arguments(problem, seed);
        PackedArguments again(plan_weight_packing(typical, *set, 3), any, guard, threads(3));
        const auto by_three = plan_out_lanes(problem, *set, 3);
        ASSERT_EQ(again.run(problem, *set, any, guard, serial(), *plan).bytes,
                  again.run(problem, *set, any, guard, threads(3), *by_three).bytes);
      }
    }
  }
  EXPECT_TRUE(reaches(taken, 50)) << taken;
}

// What was packed for one length is used for all others.
TEST_P(PackedWeights, any_length_and_batch) {
  for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
    Problem typical = plain_problem();
    typical.data_type = GetParam();
    typical.in_channels = 24;
    typical.out_channels = 40;
    typical.kernel_size = 9;
    typical = with_output_length(typical, 3000);
    typical.algorithm = AlgorithmRequest::automatic;
    const Arguments weights = integer_arguments(typical, 3);
    PackedArguments packed(plan_weight_packing(typical, *set, 1), weights, Guard::after, serial());
    for (const int64_t length : {1, 2, 7, 8, 9, 30, 100, 1000}) {
      for (const int64_t batch : {1, 3}) {
        Problem problem = typical;
        problem.batch = batch;
        problem = with_output_length(problem, length);
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        Arguments arguments = integer_arguments(problem, 4);
        arguments.weight = weights.weight;
        const Tensor expected = oracle(Direction::forward, problem, arguments).value;
        const RunResult actual = packed.run(problem, *set, arguments, Guard::after, serial());
        ASSERT_TRUE(actual.margins_intact);
        for (size_t i = 0; i < expected.storage.size(); ++i) {
          // A transform rounds; it stays near.
          const double bound = GetParam() == DataType::bfloat16 || GetParam() == DataType::float16 ? 8 : 0.01;
          ASSERT_NEAR(actual.result.storage[i], nearest(GetParam(), expected.storage[i]), bound) << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, PackedWeights,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
