// Causal depthwise convolutions with a state, as C++ programs call them.
#include <gtest/gtest.h>
#include <tapconv/causal_conv1d.h>
#include <torch/torch.h>

#include "support.h"

namespace tapconv::testing {
namespace {

at::Tensor by_torch(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& states) {
  const auto options = torch::nn::functional::Conv1dFuncOptions().bias(bias).groups(x.size(1));
  return at::silu(torch::nn::functional::conv1d(at::cat({states, x}, 2), weight.unsqueeze(1), options));
}

TEST(CausalConv1d, is_a_convolution_of_what_the_state_remembers) {
  const at::Tensor x = torch::randn({2, 20, 30}), weight = torch::randn({20, 4}), bias = torch::randn({20});
  at::Tensor states = torch::randn({2, 20, 3});
  const at::Tensor expected = by_torch(x, weight, bias, states);
  EXPECT_TRUE(causal_conv1d(x, weight, bias, std::nullopt, states, "silu").allclose(expected, 1e-5, 1e-5));

  std::vector<at::Tensor> steps;
  for (int64_t t = 0; t < x.size(2); ++t) {
    steps.push_back(causal_conv1d_update(x.select(2, t), states, weight, bias, "silu"));
  }
  EXPECT_TRUE(at::stack(steps, 2).allclose(expected, 1e-5, 1e-5));
  EXPECT_TRUE(states.equal(x.slice(2, 27)));
  EXPECT_TRUE(causal_conv1d_varlen_states(x[0].t(), torch::tensor({0, 30}), 3)[0].equal(states[0]));
}

TEST(CausalConv1d, is_differentiable) {
  const auto options = torch::dtype(torch::kFloat64).requires_grad(true);
  const at::Tensor x = torch::randn({2, 5, 9}, options), weight = torch::randn({5, 4}, options),
                   bias = torch::randn({5}, options), states = torch::randn({2, 5, 3}, options);
  const auto ours = torch::autograd::grad({causal_conv1d(x, weight, bias, std::nullopt, states, "silu").square().sum()},
                                          {x, weight, bias, states});
  const auto right =
      torch::autograd::grad({by_torch(x, weight, bias, states).square().sum()}, {x, weight, bias, states});
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(ours[i].allclose(right[i])) << i;
}

TEST(CausalConv1d, names_what_does_not_fit) {
  const at::Tensor x = torch::zeros({2, 4, 9}), weight = torch::zeros({4, 3}), state = torch::zeros({2, 4, 2});
  EXPECT_THROW(causal_conv1d(x, weight, std::nullopt, std::nullopt, std::nullopt, "relu"), c10::NotImplementedError);
  EXPECT_THROW(causal_conv1d(x, torch::zeros({5, 3})), c10::ValueError);
  EXPECT_THROW(causal_conv1d_update(x, state.to(torch::kHalf), weight), c10::TypeError);
  const at::Tensor indices = torch::tensor({0, 2}, torch::kInt);
  EXPECT_THROW(causal_conv1d_update(x, state, weight, std::nullopt, std::nullopt, std::nullopt, indices),
               c10::IndexError);
}

}  // namespace
}  // namespace tapconv::testing
