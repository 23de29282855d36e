// An output depends on what it sees: numbers of very different size side by side, under the local bound, for every
// transform and every way of blocking it, in all directions. Zeros, whole numbers and impulses are exact.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "cases.h"
#include "harness.h"
#include "kernels/algorithms.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/forward_variant.h"
#include "local_bound.h"
#include "numbers.h"
#include "uneven_patterns.h"

namespace tapconv::kernels::test {
namespace {

Problem layer(int64_t in_channels, int64_t out_channels, int64_t groups, int64_t kernel_size, int64_t output_length,
              int64_t stride = 1, int64_t dilation = 1) {
  Problem p = plain_problem();
  p.algorithm = AlgorithmRequest::automatic;
  p.batch = 2;
  p.in_channels = in_channels;
  p.out_channels = out_channels;
  p.groups = groups;
  p.kernel_size = kernel_size;
  p.stride = stride;
  p.dilation = dilation;
  p.padding_left = (kernel_size - 1) * dilation;  // causal: the first outputs see a few samples
  p.padding_right = kernel_size % 2 == 0 ? 0 : (kernel_size - 1) / 2 * dilation;
  return with_contiguous_strides(with_output_length(p, output_length));
}

// Between them they reach every transform, every blocking, one part and several of depthwise filters, filter banks,
// rows of several phases and segments that lack a tap.
std::vector<Problem> layers() {
  return share_of({
      layer(5, 6, 1, 3, 130),          // Winograd
      layer(4, 32, 1, 2, 70),          // output channels in the lanes
      layer(16, 48, 1, 5, 40),         // and few tiles
      layer(6, 5, 1, 7, 200, 1, 3),    // dilated
      layer(3, 8, 1, 5, 150, 2),       // segments lack a tap
      layer(4, 4, 2, 8, 120, 4),       // strided, in groups
      layer(2, 3, 1, 16, 300),         // long, one row
      layer(2, 64, 1, 40, 130),        // the same
      layer(1, 7, 1, 100, 700),        // the same
      layer(1, 20, 1, 75, 500),        // a filter bank
      layer(19, 19, 19, 30, 400),      // depthwise, one part
      layer(17, 17, 17, 300, 900),     // several parts
      layer(5, 5, 5, 70, 350, 1, 3),   // dilated
      layer(3, 6, 3, 130, 300, 1, 2),  // two filters to a row
  });
}

void fill_channel(Tensor& tensor, int64_t channel, double factor, DataType type) {
  for (int64_t i = 0; i < tensor.sizes[0]; ++i) {
    for (int64_t k = 0; k < tensor.sizes[2]; ++k) {
      tensor.at(i, channel, k) = nearest(type, factor * tensor.at(i, channel, k));
    }
  }
}

class LocalAccuracy : public testing::TestWithParam<DataType> {
 protected:
  // body(plan, name) for every transform and blocking that fits the forward problem.
  static void for_each_plan(const Problem& problem, int slots,
                            const std::function<void(const Plan&, const std::string&)>& body) {
    for (const InstructionSet* set : instruction_sets_under_test()) {
      const auto name = [&](const char* what, int transform) {
        return std::string(set->name) + ", " + what + ", transform " + std::to_string(transform) + ", " +
               describe(problem);
      };
      for (int i = 0; i < tile_transform_count; ++i) {
        for (const TileBlocking blocking : all_tile_blockings) {
          const char* const names[] = {"own tiles", "shared tiles", "filter lanes"};
          const auto choice = plan_tiles(problem, plain_variant(problem), *set, slots, TileTransform(i), blocking);
          if (choice) body(*choice, name(names[static_cast<int>(blocking)], i));
        }
      }
      for (int i = 0; i < fourier_transform_count; ++i) {
        const auto choice = plan_depthwise_tiles(problem, plain_variant(problem), *set, slots, TileTransform(i));
        if (choice) body(*choice, name("depthwise tiles", i));
      }
    }
  }

  static void expect_local(const Problem& problem, const Arguments& arguments) {
    const Sums exact = oracle(Direction::forward, problem, arguments);
    const Tensor magnitude = local_magnitude(Direction::forward, problem, arguments);
    for_each_plan(problem, 1, [&](const Plan& plan, const std::string& what) {
      const RunResult actual = run_forward(plan, arguments, Guard::after, serial());
      ASSERT_TRUE(actual.margins_intact && actual.gaps_intact) << what;
      const double error = local_error(problem, exact, magnitude, actual.result);
      largest = std::max(largest, error);
      EXPECT_LE(error, local_roundings) << what;
    });
  }

  static void expect_local(Direction direction, const Problem& problem, const Arguments& arguments) {
    const Sums exact = oracle(direction, problem, arguments);
    const Tensor magnitude = local_magnitude(direction, problem, arguments);
    for (const AlgorithmRequest request :
         {AlgorithmRequest::automatic, AlgorithmRequest::fft, AlgorithmRequest::winograd}) {
      Problem p = problem;
      p.algorithm = request;
      for (const InstructionSet* set : instruction_sets_under_test(p.data_type)) {
        const RunResult actual = run(direction, p, *set, arguments, Guard::after, serial());
        ASSERT_TRUE(actual.margins_intact && actual.gaps_intact);
        const double error = local_error(p, exact, magnitude, actual.result);
        largest = std::max(largest, error);
        EXPECT_LE(error, local_roundings) << set->name << ", " << name_of(direction) << ", request "
                                          << static_cast<int>(request) << ", " << describe(p);
      }
    }
  }

  void SetUp() override { largest = 0; }
  void TearDown() override { RecordProperty("largest_error", std::to_string(largest)); }

  static inline double largest = 0;  // error that the test came across
};

TEST_P(LocalAccuracy, forward) {
  uint64_t seed = 0;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    for (const Pattern& pattern : uneven_patterns()) {
      SCOPED_TRACE(pattern.name);
      Arguments arguments = random_arguments(problem, ++seed);
      if (seed % 3 != 0) arguments.bias.clear();
      apply(pattern, GetParam(), arguments.input);
      expect_local(problem, arguments);
    }
  }
}

TEST_P(LocalAccuracy, one_loud_channel) {
  uint64_t seed = 100;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    Arguments arguments = random_arguments(problem, ++seed);
    const double factor = GetParam() == DataType::float16 ? 1e3 : 1e6;
    fill_channel(arguments.input, problem.in_channels - 1, factor, GetParam());
    fill_channel(arguments.output, problem.out_channels - 1, factor, GetParam());
    expect_local(problem, arguments);
    expect_local(Direction::grad_input, problem, arguments);
    expect_local(Direction::grad_weight, problem, arguments);
  }
}

TEST_P(LocalAccuracy, input_gradient) {
  uint64_t seed = 200;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    for (const Pattern& pattern : uneven_patterns()) {
      SCOPED_TRACE(pattern.name);
      Arguments arguments = random_arguments(problem, ++seed);
      apply(pattern, GetParam(), arguments.output);
      expect_local(Direction::grad_input, problem, arguments);
    }
  }
}

TEST_P(LocalAccuracy, weight_gradient) {
  uint64_t seed = 300;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    for (const Pattern& pattern : uneven_patterns()) {
      for (const bool in_input : {true, false}) {
        SCOPED_TRACE(std::string(pattern.name) + (in_input ? " of samples" : " of gradients"));
        Arguments arguments = random_arguments(problem, ++seed);
        apply(pattern, GetParam(), in_input ? arguments.input : arguments.output);
        expect_local(Direction::grad_weight, problem, arguments);
      }
    }
  }
}

TEST_P(LocalAccuracy, whole_numbers) {
  uint64_t seed = 400;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    const Arguments arguments = integer_arguments(problem, ++seed);
    const auto expect_exact = [&](const Tensor& expected, const Tensor& actual, const std::string& what) {
      for (size_t i = 0; i < expected.storage.size(); ++i) {
        ASSERT_EQ(nearest(GetParam(), expected.storage[i]), actual.storage[i]) << what << ", element " << i;
      }
    };
    const Sums sums = oracle(Direction::forward, problem, arguments);
    for_each_plan(problem, 1, [&](const Plan& plan, const std::string& what) {
      expect_exact(sums.value, run_forward(plan, arguments, Guard::after, serial()).result, what);
    });
    for (const Direction direction : {Direction::grad_input, Direction::grad_weight}) {
      problem.algorithm = AlgorithmRequest::fft;
      const Sums gradient = oracle(direction, problem, arguments);
      for (const InstructionSet* set : instruction_sets_under_test()) {
        expect_exact(gradient.value, run(direction, problem, *set, arguments, Guard::after, serial()).result,
                     std::string(set->name) + name_of(direction) + describe(problem));
      }
    }
  }
}

// Each filter copies or scales one sample of each input channel; the others are ordinary ones.
TEST_P(LocalAccuracy, filters_of_single_taps) {
  uint64_t seed = 500;
  for (Problem problem : layers()) {
    problem.data_type = GetParam();
    Arguments arguments = random_arguments(problem, ++seed);
    arguments.bias.clear();
    const int64_t group_in = problem.in_channels / problem.groups;
    const auto is_single = [](int64_t o) { return o % 3 != 1; };
    for (int64_t o = 0; o < problem.out_channels; ++o) {
      if (!is_single(o)) continue;
      for (int64_t c = 0; c < group_in; ++c) {
        for (int64_t k = 0; k < problem.kernel_size; ++k) {
          const bool here = c == o % group_in && k == o % problem.kernel_size;
          arguments.weight.at(o, c, k) = here ? nearest(GetParam(), 1.0 + double(o) / 7) : 0.0;
        }
      }
    }
    const Sums sums = oracle(Direction::forward, problem, arguments);
    for_each_plan(problem, 1, [&](const Plan& plan, const std::string& what) {
      const RunResult actual = run_forward(plan, arguments, Guard::after, serial());
      for (int64_t n = 0; n < problem.batch; ++n) {
        for (int64_t o = 0; o < problem.out_channels; ++o) {
          for (int64_t t = 0; is_single(o) && t < problem.output_length; ++t) {
            ASSERT_EQ(nearest(GetParam(), sums.value.at(n, o, t)), actual.result.at(n, o, t)) << what;
          }
        }
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, LocalAccuracy,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
