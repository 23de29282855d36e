// Packed weights from C++: the functions, the module, and what is refused.
#include <gtest/gtest.h>
#include <tapconv/tapconv.h>
#include <torch/nn.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support.h"

namespace tapconv::testing {
namespace {

using torch::nn::Conv1dOptions;

bool are_close(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && at::allclose(a, b, 1e-4, 1e-4);
}

TEST(Packed, EqualsThePlainCall) {
  for (const at::ScalarType type : kernel_types) {
    for (const Case& c : thin_grid()) {
      SCOPED_TRACE(c);
      const Tensors tensors = integer_tensors(c, type);
      const at::Tensor packed =
          pack_weight(tensors.weight,
                      {.stride = c.stride, .dilation = c.dilation, .groups = c.channels.groups, .algorithm = "direct"});
      at::Tensor out = at::empty({0}, type);
      for (const bool into_out : {false, true}) {
        const at::Tensor output =
            into_out ? conv1d_packed_out(out, tensors.input, packed, tensors.weight.sizes(), tensors.bias, c.stride,
                                         c.padding, c.dilation, c.channels.groups, c.padding_mode)
                     : conv1d_packed(tensors.input, packed, tensors.weight.sizes(), tensors.bias, c.stride, c.padding,
                                     c.dilation, c.channels.groups, c.padding_mode);
        ASSERT_TRUE(at::equal(output.to(at::kDouble), reference(c, tensors)));
      }
    }
  }
}

TEST(Packed, WhatDoesNotFitIsRefused) {
  const at::Tensor weight = at::randn({6, 4, 5});
  const at::Tensor packed = pack_weight(weight);
  const at::Tensor input = at::randn({2, 4, 40});
  EXPECT_THROW(conv1d_packed(input, packed, {6, 4, 4}), c10::Error);
  EXPECT_THROW(conv1d_packed(input, packed, {6, 4}), c10::Error);
  EXPECT_THROW(conv1d_packed(input, packed, {6, 4, 5}, {}, 2), c10::Error);
  EXPECT_THROW(conv1d_packed(input.to(at::kDouble), packed, {6, 4, 5}), c10::Error);
  EXPECT_THROW(conv1d_packed(input, packed.narrow(0, 0, packed.numel() - 1), {6, 4, 5}), c10::Error);
  EXPECT_THROW(conv1d_packed(input, packed.to(at::kFloat), {6, 4, 5}), c10::Error);
  EXPECT_THROW(conv1d_packed(input, packed.to(at::kMeta), {6, 4, 5}), c10::Error);
  EXPECT_THROW(conv1d_packed(input.clone().requires_grad_(), packed, {6, 4, 5}), c10::Error);
  EXPECT_THROW(pack_weight(weight.to(at::kLong)), c10::Error);
  at::Tensor damaged = packed.clone();
  damaged[20].add_(1);
  EXPECT_THROW(conv1d_packed(input, damaged, {6, 4, 5}), c10::Error);
}

TEST(PackedModule, FollowsItsWeight) {
  for (const auto& options : {Conv1dOptions(4, 6, 5).padding(2), Conv1dOptions(4, 8, 3).groups(2).padding(torch::kSame),
                              Conv1dOptions(4, 4, 3).stride(2).padding(1).padding_mode(torch::kReflect)}) {
    nn::Conv1d module(options);
    EXPECT_THROW(module->pack(), c10::Error) << "in training mode";
    module->eval();
    const at::Tensor input = at::randn({2, 4, 300});
    const auto plain = [&](const at::Tensor& x) {
      torch::nn::Conv1d theirs(options);
      theirs->weight.set_data(module->weight.clone());
      theirs->bias.set_data(module->bias.clone());
      return theirs(x);
    };
    module->pack(300);
    EXPECT_TRUE(module(input).requires_grad()) << "a call that records a gradient takes the plain weight";
    torch::NoGradGuard no_gradients;
    EXPECT_TRUE(are_close(module(input), plain(input)));
    module->weight.mul_(-2);
    EXPECT_TRUE(are_close(module(input), plain(input)));
    module->weight.set_data(at::randn_like(module->weight));
    EXPECT_TRUE(are_close(module(input), plain(input)));
    const auto clone = std::dynamic_pointer_cast<nn::Conv1dImpl>(module->clone());
    clone->weight.zero_();
    EXPECT_TRUE(are_close(module(input), plain(input)));
    EXPECT_FALSE(are_close(clone->forward(input), plain(input)));
    module->to(at::kDouble);
    EXPECT_TRUE(are_close(module(input.to(at::kDouble)), plain(input.to(at::kDouble))));
    EXPECT_TRUE(module->is_packed());
    module->train();
    EXPECT_FALSE(module->is_packed());
  }
}

// A packed module of 4 channels and one of torch's that has its weights and options, without gradients.
struct Twins {
  nn::Conv1d ours;
  torch::nn::Conv1d theirs;

  explicit Twins(const Conv1dOptions& options) : ours(options), theirs(options) {
    ours->eval();
    ours->pack();
  }

  void expect_alike(const at::Tensor& input) {
    theirs->weight = ours->weight;
    theirs->bias = ours->bias;
    theirs->options = ours->options;
    const torch::NoGradGuard no_gradients;
    // The second call may use what the first one packed.
    for (int call = 0; call < 2; ++call) EXPECT_TRUE(are_close(ours(input), theirs(input)));
  }
};

TEST(PackedModule, FollowsWhatNothingCounts) {
  for (const Conv1dOptions& options : {Conv1dOptions(4, 6, 5).padding(2), Conv1dOptions(4, 2000, 5)}) {
    Twins twins(options);
    const at::Tensor input = at::randn({2, 4, 100});
    twins.expect_alike(input);
    twins.ours->weight.data().mul_(-2);
    twins.expect_alike(input);
    twins.ours->weight.data().select(0, 1).add_(1);
    if (options.out_channels() < 100) twins.expect_alike(input);
    twins.ours->weight = twins.ours->weight.detach().clone();
    twins.expect_alike(input);
    EXPECT_TRUE(twins.ours->is_packed());
  }
}

TEST(PackedModule, FollowsItsOptions) {
  Twins twins(Conv1dOptions(4, 6, 5).padding(2));
  const at::Tensor input = at::randn({2, 4, 100});
  twins.ours->options.stride(3);
  twins.expect_alike(input);
  twins.ours->options.dilation(2).padding(torch::ExpandingArray<1>(7));
  twins.expect_alike(input);
  twins.ours->options.padding_mode(torch::kZeros).stride(1).padding(torch::kSame);
  twins.expect_alike(input);
  EXPECT_TRUE(twins.ours->is_packed());
}

TEST(PackedModule, ServesThreadsWhileItPacksAgain) {
  Twins twins(Conv1dOptions(8, 8, 5).padding(2));
  const at::Tensor input = at::randn({1, 8, 60});
  for (int turn = 0; turn < 20; ++turn) {
    {
      const torch::NoGradGuard no_gradients;
      twins.ours->weight.mul_(-1.01);
    }
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const torch::NoGradGuard no_gradients;
        const at::Tensor expected = at::conv1d(input, twins.ours->weight, twins.ours->bias, 1, 2);
        for (int call = 0; call < 5; ++call) wrong += are_close(twins.ours(input), expected) ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace tapconv::testing
