// tapconv::nn::Conv1d against torch::nn::Conv1d.
#include <gtest/gtest.h>
#include <tapconv/tapconv.h>
#include <torch/nn.h>
#include <torch/optim/sgd.h>
#include <torch/serialize.h>

#include <sstream>

#include "support.h"

namespace tapconv::testing {
namespace {

using torch::nn::Conv1dOptions;

std::vector<Conv1dOptions> every_options() {
  return {Conv1dOptions(4, 6, 3),
          Conv1dOptions(4, 6, 3).stride(2).padding(1).dilation(2).groups(2).bias(false),
          Conv1dOptions(4, 8, 5).groups(4).padding(torch::kSame),
          Conv1dOptions(4, 8, 4).padding(torch::kValid).stride(3),
          Conv1dOptions(4, 8, 4).padding(torch::kSame).dilation(3).padding_mode(torch::kCircular),
          Conv1dOptions(4, 4, 3).padding(2).padding_mode(torch::kReflect),
          Conv1dOptions(4, 4, 3).padding(4).padding_mode(torch::kReplicate).stride(2)};
}

// The two modules from one seed.
std::pair<nn::Conv1d, torch::nn::Conv1d> twins(const Conv1dOptions& options) {
  torch::manual_seed(1);
  nn::Conv1d ours(options);
  torch::manual_seed(1);
  return {ours, torch::nn::Conv1d(options)};
}

template <typename Module>
std::string printed(const Module& module) {
  std::ostringstream stream;
  stream << module;
  return stream.str();
}

template <typename From, typename To>
void move_weights(const From& from, To& to) {
  std::stringstream archive;
  torch::save(from, archive);
  torch::load(to, archive);
}

TEST(Module, StartsAsTorchsDoes) {
  for (const Conv1dOptions& options : every_options()) {
    const auto [ours, theirs] = twins(options);
    const auto parameters = ours->named_parameters();
    const auto expected = theirs->named_parameters();
    ASSERT_EQ(parameters.keys(), expected.keys());
    for (const auto& parameter : expected) EXPECT_TRUE(at::equal(parameters[parameter.key()], parameter.value()));
  }
}

TEST(Module, ComputesWhatTorchsDoes) {
  for (const Conv1dOptions& options : every_options()) {
    auto [ours, theirs] = twins(options);
    ours->to(at::kDouble);
    theirs->to(at::kDouble);
    for (const at::Tensor& input : {at::randn({3, 4, 33}, at::kDouble), at::randn({4, 33}, at::kDouble)}) {
      EXPECT_TRUE(at::allclose(ours(input), theirs(input), 1e-12, 1e-12)) << theirs;
    }
  }
}

TEST(Module, RefusesWhatTorchsRefuses) {
  EXPECT_THROW(nn::Conv1d(Conv1dOptions(4, 6, 3).groups(3)), c10::Error);
  EXPECT_THROW(nn::Conv1d(Conv1dOptions(4, 6, 3).padding(torch::kSame).stride(2)), c10::Error);
  EXPECT_THROW(nn::Conv1d(0, 6, 3), c10::Error);
  EXPECT_THROW(nn::Conv1d(4, 6, 3)(at::zeros({2, 5, 9})), c10::Error);
}

TEST(Module, PrintsAsTorchsDoes) {
  EXPECT_EQ(printed(nn::Conv1d(4, 6, 3)), "tapconv::nn::Conv1d(4, 6, kernel_size=3, stride=1)");
  for (const Conv1dOptions& options : every_options()) {
    std::string expected = printed(torch::nn::Conv1d(options));
    expected.replace(0, std::string("torch").size(), "tapconv");
    EXPECT_EQ(printed(nn::Conv1d(options)), expected);
  }
}

TEST(Module, WeightsMoveBothWays) {
  for (const Conv1dOptions& options : every_options()) {
    const auto [ours, theirs] = twins(options);
    nn::Conv1d our_copy(options);
    torch::nn::Conv1d their_copy(options);
    move_weights(theirs, our_copy);
    move_weights(ours, their_copy);
    EXPECT_TRUE(at::equal(our_copy->weight, theirs->weight));
    EXPECT_TRUE(at::equal(their_copy->weight, ours->weight));
    if (!options.bias()) continue;
    EXPECT_TRUE(at::equal(our_copy->bias, theirs->bias));
    EXPECT_TRUE(at::equal(their_copy->bias, ours->bias));
  }
}

TEST(Module, CloneIsDeep) {
  for (const Conv1dOptions& options : every_options()) {
    nn::Conv1d module(options);
    const auto copy = std::dynamic_pointer_cast<nn::Conv1dImpl>(module->clone());
    ASSERT_TRUE(copy);
    const at::Tensor input = at::randn({2, 4, 33});
    EXPECT_TRUE(at::equal(copy->forward(input), module->forward(input)));
    EXPECT_FALSE(copy->weight.is_same(module->weight));
    const at::NoGradGuard no_grad;
    copy->weight.zero_();
    EXPECT_NE(module->weight.abs().sum().item<float>(), 0);
  }
}

TEST(Module, LivesInASequential) {
  torch::nn::Sequential model(nn::Conv1d(Conv1dOptions(2, 8, 5).padding(torch::kSame)), torch::nn::ReLU(),
                              nn::Conv1d(8, 1, 3));
  EXPECT_EQ(model->forward(at::randn({3, 2, 20})).sizes(), (std::vector<int64_t>{3, 1, 18}));
  EXPECT_EQ(model->parameters().size(), 4u);
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(model->clone());
  ASSERT_TRUE(copy);
  const at::Tensor input = at::randn({3, 2, 20});
  EXPECT_TRUE(at::equal(copy->forward(input), model->forward(input)));
  model->to(at::kDouble);
  EXPECT_EQ(model->forward(input.to(at::kDouble)).scalar_type(), at::kDouble);
  EXPECT_NE(model->ptr(0)->as<nn::Conv1d>(), nullptr);
  EXPECT_EQ(model->ptr(0)->as<torch::nn::Conv1d>(), nullptr);
}

TEST(Module, LearnsAFilter) {
  torch::manual_seed(2);
  const at::Tensor filter = torch::tensor({0.5f, -1.f, 0.25f}).view({1, 1, 3});
  nn::Conv1d module(Conv1dOptions(1, 1, 3).padding(1).bias(false));
  torch::optim::SGD optimizer(module->parameters(), 0.1);
  float loss_value = 1;
  for (int step = 0; step < 200; ++step) {
    const at::Tensor input = at::randn({8, 1, 64});
    const at::Tensor loss = at::mse_loss(module(input), at::conv1d(input, filter, {}, 1, 1));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss_value = loss.item<float>();
  }
  EXPECT_LT(loss_value, 1e-6);
  EXPECT_TRUE(at::allclose(module->weight, filter, 1e-3, 1e-3));
}

}  // namespace
}  // namespace tapconv::testing
