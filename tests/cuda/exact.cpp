#include "exact.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>

#include "kernels/cases.h"
#include "kernels/numbers.h"

namespace tapconv::cuda::test {
namespace {

using kernels::DataType;
using kernels::Direction;
using kernels::Problem;
using kernels::test::Arguments;
using kernels::test::Buffers;
using kernels::test::Guard;
using kernels::test::GuardedBuffer;
using kernels::test::plain_problem;
using kernels::test::RunResult;
using kernels::test::Tensor;
using kernels::test::with_contiguous_strides;

constexpr Settings settings{.allow_tf32 = true, .deterministic = true};
constexpr size_t workspace_alignment = 256;
constexpr std::array data_types{DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16};

Plan plan_of(Direction direction, const Problem& problem, const Device& device) {
  switch (direction) {
    case Direction::forward:
      return plan_forward(problem, device, settings);
    case Direction::grad_input:
      return plan_grad_input(problem, device, settings);
    case Direction::grad_weight:
      break;
  }
  return plan_grad_weight(problem, device, settings);
}

void expect_bias(const Problem& problem, const Arguments& arguments, std::span<const std::byte> stored) {
  const size_t bytes = kernels::test::format_of(problem.data_type).bytes;
  for (int64_t o = 0; o < problem.out_channels; ++o) {
    double sum = 0;
    for (int64_t n = 0; n < problem.batch; ++n) {
      for (int64_t t = 0; t < problem.output_length; ++t) sum += arguments.output.at(n, o, t);
    }
    uint64_t bits = 0;
    std::memcpy(&bits, stored.data() + static_cast<size_t>(o) * bytes, bytes);
    ASSERT_EQ(kernels::test::decode(problem.data_type, bits), kernels::test::nearest(problem.data_type, sum))
        << "bias of channel " << o;
  }
}

std::vector<Problem> every(const std::vector<Problem>& problems, size_t step) {
  std::vector<Problem> chosen;
  for (size_t i = 0; i < problems.size(); i += step) {
    chosen.push_back(problems[i]);
    chosen.back().data_type = data_types[chosen.size() % data_types.size()];
  }
  return chosen;
}

void append_in_all_types(std::vector<Problem>& problems, Problem problem) {
  for (const DataType type : data_types) {
    problem.data_type = type;
    problems.push_back(problem);
  }
}

// More channels, taps and times than one block has, and rows that do not fit into shared memory at once.
std::vector<Problem> several_blocks() {
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
    append_in_all_types(problems, with_contiguous_strides(problem));
  };
  add(2, 2, 2, 3, 1, 1, 4001);     // several time blocks
  add(3, 6, 3, 4, 2, 1, 4001);     // with a stride
  add(2, 2, 2, 7, 1, 100, 1500);   // outputs of a window far apart
  add(2, 2, 2, 5, 1, 1000, 300);   // each tap in a segment of its own
  add(1, 1, 1, 6000, 1, 1, 300);   // several rounds of taps
  add(1, 1, 1, 900, 3, 2, 700);    // with phases
  add(70, 9, 1, 3, 1, 1, 150);     // several rounds of channels
  add(40, 130, 1, 5, 1, 1, 140);   // several blocks of output channels
  add(33, 40, 1, 40, 5, 3, 200);   // phases, in several rounds of taps
  add(20, 36, 1, 3, 1, 700, 100);  // far apart
  add(1, 3, 1, 300, 1, 1, 500);    // more taps than a block of the weight gradient
  return problems;
}

// Stride 0, as in x.expand(...) and in the gradient of y.sum().
std::vector<Problem> expanded_arguments(Direction direction) {
  std::vector<Problem> problems;
  for (const int64_t group_count : {1, 4}) {
    Problem problem = plain_problem();
    problem.groups = group_count;
    problem.in_channels = problem.out_channels = 4;
    problem = with_contiguous_strides(problem);
    if (direction != Direction::grad_input) problem.input_strides = {0, 0, 0};
    if (direction != Direction::forward) problem.output_strides = {0, 0, 0};
    append_in_all_types(problems, problem);
    if (direction != Direction::grad_weight) problem.weight_strides = {0, 0, 0};
    append_in_all_types(problems, problem);
  }
  return problems;
}

}  // namespace

void expect_exact(Direction direction, const Problem& problem, const Device& device, size_t seed,
                  const Execute& execute) {
  SCOPED_TRACE(std::string(kernels::name_of(problem.data_type)) + ", " + kernels::test::describe(problem));
  Arguments arguments = kernels::test::integer_arguments(problem, seed);
  if (seed % 3 == 0) arguments.bias.clear();
  const bool has_grad_bias = direction == Direction::grad_weight && !arguments.bias.empty();
  const Guard guard = seed % 8 < 4 ? Guard::after : Guard::before;
  const Plan plan = plan_of(direction, problem, device);
  const size_t bytes = kernels::test::format_of(problem.data_type).bytes;
  const RunResult actual = run_in_guarded_memory(direction, problem, arguments, guard, [&](const Buffers& buffers) {
    GuardedBuffer workspace(plan.workspace_bytes, guard, workspace_alignment);
    GuardedBuffer grad_bias(static_cast<size_t>(problem.out_channels) * bytes, guard, bytes);
    const char* const error =
        execute({direction, plan, buffers, has_grad_bias ? grad_bias.data() : nullptr, workspace.data()});
    EXPECT_EQ(error, nullptr) << error;
    if (has_grad_bias) expect_bias(problem, arguments, grad_bias.bytes());
    return workspace.margins_intact() && grad_bias.margins_intact();
  });
  ASSERT_TRUE(actual.margins_intact) << "wrote beside the result or the workspace";
  ASSERT_TRUE(actual.gaps_intact) << "wrote between the elements of the result";
  const Tensor expected = oracle(direction, problem, arguments).value;
  const std::vector<bool> reached = reached_elements(expected);
  for (size_t i = 0; i < reached.size(); ++i) {
    if (!reached[i]) continue;
    ASSERT_EQ(actual.result.storage[i], kernels::test::nearest(problem.data_type, expected.storage[i]))
        << "element " << i << " of " << reached.size();
  }
}

std::vector<NamedProblems> problems_of(Direction direction) {
  // The steps share no factor with the inner loops of the cases, so every value of every dimension is met.
  return {{"tails_of_time_and_out_channels", every(kernels::test::time_and_out_channel_tails(), 13)},
          {"in_channels_and_kernel_sizes", every(kernels::test::in_channel_and_kernel_sizes(), 5)},
          {"geometries", every(kernels::test::geometries(), 11)},
          {"groups", every(kernels::test::groups(), 7)},
          {"batches", every(kernels::test::batches(), 1)},
          {"layouts", every(kernels::test::layouts(), 1)},
          {"random_problems", every(kernels::test::random_problems(7, 100), 1)},
          {"long_depthwise_filters", every(kernels::test::long_depthwise_filters(), 17)},
          {"several_blocks", several_blocks()},
          {"expanded_arguments", expanded_arguments(direction)}};
}

}  // namespace tapconv::cuda::test
