// tapconv::conv_transpose1d and tapconv::nn::ConvTranspose1d against torch's own.
#include <gtest/gtest.h>
#include <tapconv/tapconv.h>
#include <torch/nn.h>
#include <torch/serialize.h>

#include <functional>
#include <sstream>
#include <string>

#include "support.h"

namespace tapconv::testing {
namespace {

namespace F = torch::nn::functional;
using torch::nn::ConvTranspose1dOptions;

std::vector<ConvTranspose1dOptions> every_options() {
  return {ConvTranspose1dOptions(4, 6, 3), ConvTranspose1dOptions(4, 6, 4).stride(2).padding(1),
          ConvTranspose1dOptions(4, 6, 3).stride(3).padding(2).output_padding(2).dilation(2).groups(2).bias(false),
          ConvTranspose1dOptions(4, 8, 5).groups(4).stride(2).output_padding(1),
          ConvTranspose1dOptions(4, 4, 1).groups(4).stride(5)};
}

// The two modules from one seed.
std::pair<nn::ConvTranspose1d, torch::nn::ConvTranspose1d> twins(const ConvTranspose1dOptions& options) {
  torch::manual_seed(1);
  nn::ConvTranspose1d ours(options);
  torch::manual_seed(1);
  return {ours, torch::nn::ConvTranspose1d(options)};
}

template <typename Module>
std::string printed(const Module& module) {
  std::ostringstream stream;
  stream << module;
  return stream.str();
}

std::string thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {  // oneDNN's
    return error.what();
  }
  return "";
}

TEST(ConvTranspose, IsExactOnIntegersOfEveryType) {
  at::manual_seed(1);
  for (const ConvTranspose1dOptions& options : every_options()) {
    const auto function_options = F::ConvTranspose1dFuncOptions()
                                      .stride(options.stride())
                                      .padding(options.padding())
                                      .output_padding(options.output_padding())
                                      .groups(options.groups())
                                      .dilation(options.dilation());
    const at::Tensor weight =
        integers({4, options.out_channels() / options.groups(), options.kernel_size()->front()}, at::kDouble);
    const at::Tensor bias = integers({options.out_channels()}, at::kDouble);
    for (const at::Tensor& input : {integers({3, 4, 17}, at::kDouble), integers({4, 17}, at::kDouble)}) {
      const at::Tensor expected =
          F::conv_transpose1d(input, weight, F::ConvTranspose1dFuncOptions(function_options).bias(bias));
      for (const at::ScalarType type : kernel_types) {
        const auto with_bias = F::ConvTranspose1dFuncOptions(function_options).bias(bias.to(type));
        const at::Tensor output = tapconv::conv_transpose1d(input.to(type), weight.to(type), with_bias);
        EXPECT_EQ(output.scalar_type(), type);
        EXPECT_TRUE(at::equal(output.to(at::kDouble), expected)) << type;
      }
      EXPECT_TRUE(at::equal(tapconv::conv_transpose1d(input, weight, function_options),
                            F::conv_transpose1d(input, weight, function_options)));
    }
  }
}

TEST(ConvTranspose, ErrorsAreTorchs) {
  const at::Tensor x = at::ones({2, 4, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  const auto compare = [&](const at::Tensor& input, const at::Tensor& weight,
                           const F::ConvTranspose1dFuncOptions& options) {
    const std::string expected = thrown_by([&] { F::conv_transpose1d(input, weight, options); });
    EXPECT_NE(expected, "");
    EXPECT_EQ(thrown_by([&] { tapconv::conv_transpose1d(input, weight, options); }), expected);
  };
  const F::ConvTranspose1dFuncOptions options;
  compare(x, at::ones({5, 3, 3}), options);
  compare(x, w.to(at::kDouble), options);
  compare(at::ones({9}), w, options);
  compare(x, at::ones({4, 3}), options);
  compare({}, w, options);
  compare(x, {}, options);
  compare(x, w, F::ConvTranspose1dFuncOptions().stride(0));
  compare(x, w, F::ConvTranspose1dFuncOptions().padding(-1));
  compare(x, w, F::ConvTranspose1dFuncOptions().padding(6));
  compare(x, w, F::ConvTranspose1dFuncOptions().output_padding(3));
  compare(x, w, F::ConvTranspose1dFuncOptions().groups(3));
  compare(x, w, F::ConvTranspose1dFuncOptions().bias(at::ones({4})));
}

TEST(ConvTransposeModule, IsTorchsInParametersResultsAndPrint) {
  for (const ConvTranspose1dOptions& options : every_options()) {
    auto [ours, theirs] = twins(options);
    const auto parameters = ours->named_parameters();
    const auto expected = theirs->named_parameters();
    ASSERT_EQ(parameters.keys(), expected.keys());
    for (const auto& parameter : expected) EXPECT_TRUE(at::equal(parameters[parameter.key()], parameter.value()));
    std::string expected_print = printed(theirs);
    expected_print.replace(0, std::string("torch").size(), "tapconv");
    EXPECT_EQ(printed(ours), expected_print);
    ours->to(at::kDouble);
    theirs->to(at::kDouble);
    for (const at::Tensor& input : {at::randn({3, 4, 33}, at::kDouble), at::randn({4, 33}, at::kDouble)}) {
      EXPECT_TRUE(at::allclose(ours(input), theirs(input), 1e-12, 1e-12)) << theirs;
    }
  }
}

TEST(ConvTransposeModule, OutputSizeIsTorchs) {
  auto [ours, theirs] = twins(ConvTranspose1dOptions(4, 6, 3).stride(3).padding(1));
  const at::Tensor input = at::randn({2, 4, 8});
  for (const std::vector<int64_t>& size : std::vector<std::vector<int64_t>>{{22}, {23}, {24}, {2, 6, 24}}) {
    const at::Tensor output = ours(input, at::IntArrayRef(size));
    EXPECT_EQ(output.size(2), size.back());
    EXPECT_TRUE(at::allclose(output, theirs(input, at::IntArrayRef(size)), 1e-5, 1e-5));
  }
  for (const std::vector<int64_t>& size : std::vector<std::vector<int64_t>>{{21}, {25}, {6, 24}, {}}) {
    const std::string expected = thrown_by([&] { theirs(input, at::IntArrayRef(size)); });
    EXPECT_NE(expected, "");
    EXPECT_EQ(thrown_by([&] { ours(input, at::IntArrayRef(size)); }), expected);
  }
}

// Where torch's C++ module differs from its Python module, ours is as Python's.
TEST(ConvTransposeModule, OutputSizeCountsDilationAndTakesUnbatchedInput) {
  nn::ConvTranspose1d module(ConvTranspose1dOptions(4, 6, 3).stride(2).dilation(3));
  for (const int64_t length : {21, 22}) {
    const std::vector<int64_t> size = {length};
    EXPECT_EQ(module(at::randn({2, 4, 8}), at::IntArrayRef(size)).size(2), length);
    EXPECT_EQ(module(at::randn({4, 8}), at::IntArrayRef(size)).size(1), length);
  }
}

TEST(ConvTransposeModule, RefusesWhatTorchsRefuses) {
  EXPECT_THROW(nn::ConvTranspose1d(ConvTranspose1dOptions(4, 6, 3).groups(3)), c10::Error);
  EXPECT_THROW(nn::ConvTranspose1d(4, 6, 3)(at::zeros({2, 5, 9})), c10::Error);
  auto [ours, theirs] = twins(ConvTranspose1dOptions(4, 6, 3).padding_mode(torch::kReflect));
  const at::Tensor input = at::zeros({2, 4, 9});
  const std::string expected = thrown_by([&, module = theirs]() mutable { module(input); });
  EXPECT_NE(expected, "");
  EXPECT_EQ(thrown_by([&, module = ours]() mutable { module(input); }), expected);
}

TEST(ConvTransposeModule, WeightsMoveBothWays) {
  for (const ConvTranspose1dOptions& options : every_options()) {
    const auto [ours, theirs] = twins(options);
    nn::ConvTranspose1d our_copy(options);
    torch::nn::ConvTranspose1d their_copy(options);
    const auto move = [](const auto& from, auto& to) {
      std::stringstream archive;
      torch::save(from, archive);
      torch::load(to, archive);
    };
    move(theirs, our_copy);
    move(ours, their_copy);
    EXPECT_TRUE(at::equal(our_copy->weight, theirs->weight));
    EXPECT_TRUE(at::equal(their_copy->weight, ours->weight));
    if (!options.bias()) continue;
    EXPECT_TRUE(at::equal(our_copy->bias, theirs->bias));
    EXPECT_TRUE(at::equal(their_copy->bias, ours->bias));
  }
}

TEST(ConvTransposeModule, ClonesDeeplyAndLivesInASequential) {
  torch::nn::Sequential model(nn::ConvTranspose1d(ConvTranspose1dOptions(2, 8, 4).stride(2).padding(1)),
                              torch::nn::ReLU(), nn::Conv1d(8, 1, 1));
  const at::Tensor input = at::randn({3, 2, 20});
  const at::Tensor output = model->forward(input);
  EXPECT_EQ(output.sizes(), (std::vector<int64_t>{3, 1, 40}));
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(model->clone());
  ASSERT_TRUE(copy);
  const at::NoGradGuard no_grad;
  ASSERT_NE(model->ptr(0)->as<nn::ConvTranspose1d>(), nullptr);
  model->ptr(0)->as<nn::ConvTranspose1d>()->weight.zero_();
  EXPECT_TRUE(at::equal(copy->forward(input), output));
  EXPECT_FALSE(at::equal(model->forward(input), output));
}

}  // namespace
}  // namespace tapconv::testing
