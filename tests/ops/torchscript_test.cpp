// The operator in TorchScript programs made, saved and loaded in C++.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/script.h>

#include <sstream>

#include "support.h"

namespace tapconv::testing {
namespace {

// Lets a program say `tapconv.conv1d`, as Python's torch.ops does.
struct TapconvResolver : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction&,
                                                         const torch::jit::SourceRange&) override {
    return name == "tapconv" ? std::make_shared<torch::jit::BuiltinModule>("tapconv") : nullptr;
  }
};

// A module with a weight and a bias whose forward() calls the operator, by name, with some of its arguments.
torch::jit::Module make_module() {
  torch::jit::Module module("Convolution");
  module.register_parameter("weight", at::randn({6, 2, 3}), /*is_buffer=*/false);
  module.register_parameter("bias", at::randn({6}), /*is_buffer=*/false);
  module.define(R"(
    def forward(self, input):
        padded = tapconv.conv1d(input, self.weight, self.bias, [2], [3, 1], [1], 2, padding_mode="reflect")
        same = tapconv.conv1d(input, self.weight, padding="same", groups=2)
        return padded, same
  )",
                std::make_shared<TapconvResolver>());
  return module;
}

at::Tensor expected_padded(const torch::jit::Module& module, const at::Tensor& input) {
  return at::conv1d(at::pad(input, {3, 1}, "reflect"), module.attr("weight").toTensor(), module.attr("bias").toTensor(),
                    2, no_padding, 1, 2);
}

TEST(TorchScript, RunsTheOperator) {
  torch::jit::Module module = make_module();
  const at::Tensor input = at::randn({2, 4, 30});
  const auto outputs = module.forward({input}).toTuple();
  EXPECT_TRUE(at::allclose(outputs->elements()[0].toTensor(), expected_padded(module, input), 1e-4, 1e-5));
  const at::Tensor same = at::conv1d(input, module.attr("weight").toTensor(), {}, 1, "same", 1, 2);
  EXPECT_TRUE(at::allclose(outputs->elements()[1].toTensor(), same, 1e-4, 1e-5));
}

TEST(TorchScript, RunsTheStepOfADecoder) {
  torch::jit::Module module("Decoder");
  module.define(R"(
    def forward(self, x, state, weight):
        step = tapconv.causal_conv1d_update(x, state, weight, None, "silu")
        return step, tapconv.causal_conv1d(x, weight, activation="silu")
  )",
                std::make_shared<TapconvResolver>());
  const at::Tensor x = at::randn({1, 6, 1}), state = at::zeros({1, 6, 4});
  const auto outputs = module.forward({x, state, at::randn({6, 4})}).toTuple();
  EXPECT_TRUE(outputs->elements()[0].toTensor().equal(outputs->elements()[1].toTensor()));
  EXPECT_TRUE(state.select(2, 3).equal(x.select(2, 0)));
}

TEST(TorchScript, SurvivesAnArchive) {
  torch::jit::Module module = make_module();
  std::stringstream archive;
  module.save(archive);
  torch::jit::Module loaded = torch::jit::load(archive);
  for (const int64_t length : {30, 17}) {
    const at::Tensor input = at::randn({2, 4, length});
    const at::Tensor output = loaded.forward({input}).toTuple()->elements()[0].toTensor();
    EXPECT_TRUE(at::allclose(output, expected_padded(module, input), 1e-4, 1e-5));
  }
}

TEST(TorchScript, IsDifferentiable) {
  torch::jit::Module module = make_module();
  const at::Tensor input = at::randn({2, 4, 30}).requires_grad_();
  for (int run = 0; run < 3; ++run) {  // the executor specialises its graph after a first run
    input.mutable_grad() = at::Tensor();
    module.forward({input}).toTuple()->elements()[0].toTensor().sum().backward();
  }
  const at::Tensor gradient = input.grad().clone();
  input.mutable_grad() = at::Tensor();
  expected_padded(module, input).sum().backward();
  EXPECT_TRUE(at::allclose(gradient, input.grad(), 1e-4, 1e-5));
}

TEST(TorchScript, Freezes) {
  torch::jit::Module module = make_module();
  module.eval();
  torch::jit::Module frozen = torch::jit::freeze(module);
  const at::Tensor input = at::randn({2, 4, 30});
  const at::Tensor output = frozen.forward({input}).toTuple()->elements()[0].toTensor();
  EXPECT_TRUE(at::allclose(output, expected_padded(module, input), 1e-4, 1e-5));
}

}  // namespace
}  // namespace tapconv::testing
