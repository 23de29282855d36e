// Which algorithm computes what.
#include <gtest/gtest.h>

#include "cuda/plans/planner.h"
#include "kernels/cases.h"

namespace tapconv::cuda::test {
namespace {

using kernels::AlgorithmRequest;
using kernels::DataType;
using kernels::Problem;

constexpr Device turing{75, 40, 65536};
constexpr Device hopper{90, 132, 232448};
constexpr Settings exact{.allow_tf32 = false, .deterministic = false};
constexpr Settings tf32{.allow_tf32 = true, .deterministic = false};

Problem problem_of(int64_t channels, int64_t outs, int64_t groups, int64_t kernel_size, int64_t length,
                   DataType type = DataType::float32) {
  Problem problem = kernels::test::plain_problem();
  problem.algorithm = AlgorithmRequest::automatic;
  problem.data_type = type;
  problem.in_channels = channels;
  problem.out_channels = outs;
  problem.groups = groups;
  problem.kernel_size = kernel_size;
  problem.padding_left = problem.padding_right = kernel_size / 2;
  problem.input_length = length;
  return kernels::test::with_contiguous_strides(problem);
}

Algorithm forward_algorithm(const Problem& problem, const Device& device = hopper, const Settings& settings = exact) {
  return plan_forward(problem, device, settings).algorithm;
}

TEST(Planner, depthwise) {
  EXPECT_EQ(forward_algorithm(problem_of(512, 512, 512, 31, 400)), Algorithm::depthwise);
  EXPECT_EQ(forward_algorithm(problem_of(64, 128, 64, 4, 400)), Algorithm::depthwise);
  EXPECT_EQ(plan_grad_weight(problem_of(512, 512, 512, 31, 400), hopper, exact).algorithm, Algorithm::depthwise);
  // One input channel under many filters is shared in registers.
  EXPECT_EQ(forward_algorithm(problem_of(1, 80, 1, 31, 4000)), Algorithm::direct);
}

TEST(Planner, tensor_cores_by_data_type_and_device) {
  const auto with_type = [](DataType type) { return problem_of(32, 32, 1, 3, 400, type); };
  EXPECT_EQ(forward_algorithm(with_type(DataType::float16), turing), Algorithm::matrix);
  EXPECT_EQ(forward_algorithm(with_type(DataType::bfloat16), turing), Algorithm::direct);
  EXPECT_EQ(forward_algorithm(with_type(DataType::bfloat16)), Algorithm::matrix);
  EXPECT_EQ(forward_algorithm(with_type(DataType::float32)), Algorithm::direct);
  EXPECT_EQ(forward_algorithm(with_type(DataType::float32), hopper, tf32), Algorithm::matrix);
  EXPECT_EQ(forward_algorithm(with_type(DataType::float32), turing, tf32), Algorithm::direct);
  EXPECT_EQ(forward_algorithm(with_type(DataType::float64), hopper, tf32), Algorithm::direct);
  EXPECT_EQ(plan_grad_weight(with_type(DataType::float16), hopper, exact).algorithm, Algorithm::direct);
}

TEST(Planner, library_for_large_dense_problems) {
  Problem large = problem_of(512, 512, 1, 3, 4000);
  EXPECT_EQ(forward_algorithm(large), Algorithm::library);
  EXPECT_EQ(plan_grad_input(large, hopper, exact).algorithm, Algorithm::library);
  EXPECT_EQ(plan_grad_weight(large, hopper, exact).algorithm, Algorithm::library);
  EXPECT_EQ(plan_grad_weight(large, hopper, exact).workspace_bytes, 0U);
  EXPECT_EQ(forward_algorithm(problem_of(512, 512, 16, 128, 4000)), Algorithm::direct);
  large.algorithm = AlgorithmRequest::direct;
  EXPECT_EQ(forward_algorithm(large), Algorithm::direct);
  large.algorithm = AlgorithmRequest::winograd;
  EXPECT_EQ(forward_algorithm(large), Algorithm::library);
}

TEST(Planner, transforms_for_long_filters) {
  Problem longest = problem_of(768, 768, 768, 2048, 2048);
  EXPECT_EQ(forward_algorithm(longest), Algorithm::fft);
  longest.algorithm = AlgorithmRequest::direct;
  EXPECT_EQ(forward_algorithm(longest), Algorithm::depthwise);
  Problem asked = problem_of(4, 4, 1, 3, 20);
  EXPECT_EQ(forward_algorithm(asked), Algorithm::direct);
  asked.algorithm = AlgorithmRequest::fft;
  EXPECT_EQ(forward_algorithm(asked), Algorithm::fft);
}

TEST(Planner, nothing_to_do) {
  Problem problem = problem_of(4, 4, 1, 3, 20);
  problem.algorithm = AlgorithmRequest::fft;
  problem.batch = 0;
  EXPECT_EQ(forward_algorithm(problem), Algorithm::empty);
  EXPECT_EQ(plan_grad_input(problem, hopper, exact).algorithm, Algorithm::empty);
  // The gradient of a weight that nothing was multiplied by is zero, and has to be written.
  EXPECT_EQ(plan_grad_weight(problem, hopper, exact).algorithm, Algorithm::direct);
}

TEST(Planner, names) {
  EXPECT_STREQ(plan_forward(problem_of(8, 8, 8, 3, 20), hopper, exact).algorithm_name(), "depthwise");
  EXPECT_STREQ(name_of(Algorithm::matrix), "matrix");
}

}  // namespace
}  // namespace tapconv::cuda::test
