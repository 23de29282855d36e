// Every CUDA kernel's arithmetic of indices, run on the host, against the oracle.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>

#include "cuda/sequence.h"
#include "emulation.h"
#include "kernels/cases.h"
#include "kernels/harness.h"
#include "kernels/numbers.h"

namespace tapconv::cuda::test {
namespace {

using kernels::DataType;
using kernels::Problem;
using kernels::test::Arguments;
using kernels::test::Buffers;
using kernels::test::Direction;
using kernels::test::Guard;
using kernels::test::GuardedBuffer;
using kernels::test::RunResult;
using kernels::test::Tensor;

constexpr Device device{90, 132, 232448};
constexpr Settings settings{.allow_tf32 = true, .deterministic = true};
constexpr size_t workspace_alignment = 256;
constexpr std::array data_types{DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16};

struct Parameters {
  Direction direction;
  std::optional<Algorithm> kernel;
};

class Emulation : public testing::TestWithParam<Parameters> {
 protected:
  // Every `step`-th problem, in all data types in turn, with small integers: the result is exact to the last bit.
  void expect_exact(const std::vector<Problem>& problems, size_t step) {
    for (size_t i = 0; i < problems.size(); i += step) {
      Problem problem = problems[i];
      ++seed_;
      problem.data_type = data_types[seed_ % data_types.size()];
      SCOPED_TRACE(std::string(kernels::test::format_of(problem.data_type).name) + ", " +
                   kernels::test::describe(problem));
      expect_exact(problem);
      if (HasFatalFailure()) return;
    }
  }

 private:
  void expect_exact(const Problem& problem) {
    Arguments arguments = kernels::test::integer_arguments(problem, seed_);
    if (seed_ % 3 == 0) arguments.bias.clear();
    const Guard guard = seed_ % 8 < 4 ? Guard::after : Guard::before;
    const RunResult actual =
        run_in_guarded_memory(GetParam().direction, problem, arguments, guard,
                              [&](const Buffers& buffers) { return emulate(problem, arguments, buffers, guard); });
    ASSERT_TRUE(actual.margins_intact) << "wrote beside the result or the workspace";
    ASSERT_TRUE(actual.gaps_intact) << "wrote between the elements of the result";
    const Tensor expected = oracle(GetParam().direction, problem, arguments).value;
    const std::vector<bool> reached = reached_elements(expected);
    for (size_t i = 0; i < reached.size(); ++i) {
      if (!reached[i]) continue;
      ASSERT_EQ(actual.result.storage[i], kernels::test::nearest(problem.data_type, expected.storage[i]))
          << "element " << i << " of " << reached.size();
    }
  }

  bool emulate(const Problem& problem, const Arguments& arguments, const Buffers& buffers, Guard guard) {
    EmulatedRunner runner({GetParam().kernel, seed_ / 4 % 2 == 1, seed_ / 2 % 2 == 1});
    const char* error = nullptr;
    bool intact = true;
    switch (GetParam().direction) {
      case Direction::forward: {
        const Plan plan = plan_forward(problem, device, settings);
        error = run_forward(plan, buffers.input, buffers.weight, buffers.bias, buffers.result, runner);
        break;
      }
      case Direction::grad_input: {
        const Plan plan = plan_grad_input(problem, device, settings);
        GuardedBuffer workspace(plan.workspace_bytes, guard, workspace_alignment);
        error = run_grad_input(plan, buffers.output, buffers.weight, buffers.result, workspace.data(), runner);
        intact = workspace.margins_intact();
        break;
      }
      case Direction::grad_weight: {
        const Plan plan = plan_grad_weight(problem, device, settings);
        GuardedBuffer workspace(plan.workspace_bytes, guard, workspace_alignment);
        const size_t bytes = kernels::test::format_of(problem.data_type).bytes;
        GuardedBuffer grad_bias(static_cast<size_t>(problem.out_channels) * bytes, guard, bytes);
        const bool with_bias = !arguments.bias.empty();
        error = run_grad_weight(plan, buffers.output, buffers.input, buffers.result,
                                with_bias ? grad_bias.data() : nullptr, workspace.data(), runner);
        intact = workspace.margins_intact() && grad_bias.margins_intact();
        if (with_bias) expect_bias(problem, arguments, grad_bias.bytes());
        break;
      }
    }
    EXPECT_EQ(error, nullptr) << error;
    return intact;
  }

  static void expect_bias(const Problem& problem, const Arguments& arguments, std::span<const std::byte> stored) {
    const size_t bytes = kernels::test::format_of(problem.data_type).bytes;
    for (int64_t o = 0; o < problem.out_channels; ++o) {
      double sum = 0;
      for (int64_t n = 0; n < problem.batch; ++n) {
        for (int64_t t = 0; t < problem.output_length; ++t) sum += arguments.output.at(n, o, t);
      }
      uint64_t bits = 0;
      std::memcpy(&bits, stored.data() + static_cast<size_t>(o) * bytes, bytes);
      EXPECT_EQ(kernels::test::decode(problem.data_type, bits), kernels::test::nearest(problem.data_type, sum))
          << "bias of channel " << o;
    }
  }

  size_t seed_ = 0;
};

using kernels::test::is_possible;
using kernels::test::plain_problem;
using kernels::test::with_contiguous_strides;

// Steps share no factor with the inner loops of the cases, so every value of every dimension is met.
TEST_P(Emulation, tails_of_time_and_out_channels) { expect_exact(kernels::test::time_and_out_channel_tails(), 7); }
TEST_P(Emulation, in_channels_and_kernel_sizes) { expect_exact(kernels::test::in_channel_and_kernel_sizes(), 3); }
TEST_P(Emulation, geometries) { expect_exact(kernels::test::geometries(), 7); }
TEST_P(Emulation, groups) { expect_exact(kernels::test::groups(), 5); }
TEST_P(Emulation, batches) { expect_exact(kernels::test::batches(), 1); }
TEST_P(Emulation, layouts) { expect_exact(kernels::test::layouts(), 1); }
TEST_P(Emulation, random_problems) { expect_exact(kernels::test::random_problems(7, 150), 1); }
TEST_P(Emulation, long_depthwise_filters) { expect_exact(kernels::test::long_depthwise_filters(), 11); }

// More channels, taps and times than one block has, and rows that do not fit into shared memory at once.
TEST_P(Emulation, several_blocks) {
  std::vector<Problem> problems;
  const auto add = [&](int64_t in_channels, int64_t out_channels, int64_t group_count, int64_t kernel_size,
                       int64_t stride, int64_t dilation, int64_t length) {
    Problem problem = plain_problem();
    problem.batch = 1;
    problem.in_channels = in_channels;
    problem.out_channels = out_channels;
    problem.groups = group_count;
    problem.kernel_size = kernel_size;
    problem.stride = stride;
    problem.dilation = dilation;
    problem.padding_left = (kernel_size - 1) * dilation;
    problem.padding_right = 3;
    problem.input_length = length;
    problem = with_contiguous_strides(problem);
    ASSERT_TRUE(is_possible(problem));
    problems.insert(problems.end(), data_types.size(), problem);
  };
  add(2, 2, 2, 3, 1, 1, 4001);     // several time blocks
  add(3, 6, 3, 4, 2, 1, 4001);     // with a stride
  add(2, 2, 2, 7, 1, 100, 1500);   // outputs of a window far apart
  add(2, 2, 2, 5, 1, 1000, 300);   // each tap in a segment of its own
  add(1, 1, 1, 6000, 1, 1, 700);   // several rounds of taps
  add(1, 1, 1, 900, 3, 2, 1500);   // with phases
  add(70, 9, 1, 3, 1, 1, 150);     // several rounds of channels
  add(40, 130, 1, 5, 1, 1, 140);   // several blocks of output channels
  add(33, 40, 1, 40, 5, 3, 300);   // phases, in several rounds of taps
  add(20, 36, 1, 3, 1, 700, 200);  // far apart
  add(1, 3, 1, 300, 1, 1, 900);    // more taps than a block of the weight gradient
  for (const auto& problem : problems) ASSERT_GT(problem.output_length, 0);
  expect_exact(problems, 1);
}

// Stride 0, as in x.expand(...) and in the gradient of y.sum().
TEST_P(Emulation, expanded_arguments) {
  std::vector<Problem> problems;
  for (const int64_t group_count : {1, 4}) {
    Problem problem = plain_problem();
    problem.groups = group_count;
    problem.in_channels = problem.out_channels = 4;
    problem = with_contiguous_strides(problem);
    if (GetParam().direction != Direction::grad_input) problem.input_strides = {0, 0, 0};
    if (GetParam().direction != Direction::forward) problem.output_strides = {0, 0, 0};
    problems.insert(problems.end(), data_types.size(), problem);
    if (GetParam().direction != Direction::grad_weight) problem.weight_strides = {0, 0, 0};
    problems.insert(problems.end(), data_types.size(), problem);
  }
  expect_exact(problems, 1);
}

std::string name_of_parameters(const testing::TestParamInfo<Parameters>& info) {
  const std::string direction = kernels::test::name_of(info.param.direction);
  return direction + "_" + (info.param.kernel ? name_of(*info.param.kernel) : "planned");
}

INSTANTIATE_TEST_SUITE_P(
    Cuda, Emulation,
    testing::Values(Parameters{Direction::forward, {}}, Parameters{Direction::forward, Algorithm::direct},
                    Parameters{Direction::forward, Algorithm::matrix}, Parameters{Direction::grad_input, {}},
                    Parameters{Direction::grad_input, Algorithm::direct},
                    Parameters{Direction::grad_input, Algorithm::matrix}, Parameters{Direction::grad_weight, {}}),
    name_of_parameters);

}  // namespace
}  // namespace tapconv::cuda::test
