// The bias gradient that comes with the weight gradient: small integers, so the sums are exact in any order.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/conv1d.h"

namespace tapconv::kernels {
namespace {

struct Shape {
  int64_t batch, in_channels, input_length, out_channels, kernel_size, stride, groups;
};

constexpr Shape shapes[] = {
    {1, 1, 1, 1, 1, 1, 1},     {3, 4, 37, 20, 3, 1, 1},   {2, 6, 50, 6, 5, 1, 6},    {2, 6, 41, 18, 4, 2, 3},
    {1, 1, 70000, 2, 3, 1, 1}, {1, 2, 9000, 64, 8, 4, 1}, {5, 3, 300, 130, 7, 3, 1}, {4, 8, 17, 8, 2, 1, 2},
};

Problem problem_of(const Shape& s) {
  Problem p{};
  p.data_type = DataType::float32;
  p.batch = s.batch;
  p.in_channels = s.in_channels;
  p.input_length = s.input_length;
  p.out_channels = s.out_channels;
  p.kernel_size = s.kernel_size;
  p.stride = s.stride;
  p.dilation = 1;
  p.groups = s.groups;
  p.output_length = (s.input_length - s.kernel_size) / s.stride + 1;
  p.input_strides = {s.in_channels * s.input_length, s.input_length, 1};
  p.output_strides = {s.out_channels * p.output_length, p.output_length, 1};
  p.weight_strides = {s.in_channels / s.groups * s.kernel_size, s.kernel_size, 1};
  return p;
}

TEST(GradBias, is_the_sum_over_samples_and_times) {
  for (const InstructionSet& set : instruction_sets()) {
    if (!set.available()) continue;
    for (const Shape& shape : shapes) {
      for (const int slots : {1, 2, 5}) {
        const Problem p = problem_of(shape);
        const std::vector<float> input(static_cast<size_t>(p.batch * p.input_strides.batch), 1.0f);
        std::vector<float> grad_output(static_cast<size_t>(p.batch * p.output_strides.batch));
        std::vector<float> expected(static_cast<size_t>(p.out_channels), 0.0f);
        for (size_t i = 0; i < grad_output.size(); ++i) {
          grad_output[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
          expected[i / static_cast<size_t>(p.output_length) % expected.size()] += grad_output[i];
        }
        std::vector<float> grad_weight_result(static_cast<size_t>(p.out_channels * p.weight_strides.out_channel));
        std::vector<float> grad_bias(expected.size(), -1.0f);
        const Plan plan = plan_grad_weight(p, set, slots);
        std::vector<char> workspace(plan.workspace_bytes() + 64);
        char* const aligned = workspace.data() + (64 - reinterpret_cast<uintptr_t>(workspace.data()) % 64) % 64;
        grad_weight(plan, grad_output.data(), input.data(), grad_weight_result.data(), grad_bias.data(), aligned,
                    serial());
        EXPECT_EQ(grad_bias, expected) << set.name << ", " << p.out_channels << " output channels, slots " << slots;
      }
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
