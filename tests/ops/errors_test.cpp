// Wrong calls: the same exception as torch's, with the same words.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <tapconv/functional.h>
#include <torch/autograd.h>

#include <functional>
#include <limits>
#include <string>
#include <typeinfo>

namespace tapconv::testing {
namespace {

using OptionalTensor = std::optional<at::Tensor>;
constexpr int64_t huge = std::numeric_limits<int64_t>::max();

// The type and the words of the exception that a call throws; empty if it throws none.
std::string thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return std::string(typeid(error).name()) + ": " + error.what_without_backtrace();
  } catch (const std::exception& error) {
    return std::string(typeid(error).name()) + ": " + error.what();
  }
  return "";
}

struct Call {
  const char* what;
  at::Tensor input;
  at::Tensor weight;
  OptionalTensor bias = {};
  std::vector<int64_t> stride = {1};
  std::vector<int64_t> padding = {0};
  std::vector<int64_t> dilation = {1};
  int64_t groups = 1;
};

std::vector<Call> wrong_calls() {
  const at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  return {
      {"no samples", at::ones({2, 3, 0}), w},
      {"no samples, padded", at::ones({2, 3, 0}), w, {}, {1}, {2}},
      {"too short", at::ones({2, 3, 2}), w},
      {"too short for the dilation", x, w, {}, {1}, {0}, {5}},
      {"empty batch, too short", at::ones({0, 3, 1}), w},
      {"no output channels", x, at::ones({0, 3, 3})},
      {"no taps", x, at::ones({4, 3, 0})},
      {"other number of channels", x, at::ones({4, 2, 3})},
      {"no channels", at::ones({2, 0, 9}), w},
      {"negative padding", x, w, {}, {1}, {-1}},
      {"stride 0", x, w, {}, {0}},
      {"negative stride", x, w, {}, {-2}},
      {"dilation 0", x, w, {}, {1}, {0}, {0}},
      {"no groups", x, w, {}, {1}, {0}, {1}, 0},
      {"negative groups", x, w, {}, {1}, {0}, {1}, -1},
      {"groups do not divide in_channels", x, w, {}, {1}, {0}, {1}, 2},
      {"groups do not divide out_channels", x, at::ones({4, 1, 3}), {}, {1}, {0}, {1}, 3},
      {"too many groups", x, w, {}, {1}, {0}, {1}, huge},
      {"no stride", x, w, {}, {}},
      {"two strides", x, w, {}, {1, 1}},
      {"no padding", x, w, {}, {1}, {}},
      {"three paddings", x, w, {}, {1}, {1, 1, 1}},
      {"two dilations", x, w, {}, {1}, {0}, {1, 1}},
      {"overflowing padding", x, w, {}, {1}, {huge}},
      {"overflowing dilation", x, w, {}, {1}, {0}, {huge / 2 + 1}},
      {"short bias", x, w, at::ones({3})},
      {"bias of two dimensions", x, w, at::ones({4, 1})},
      {"bias of no dimension", x, w, at::ones({})},
      {"weight of two dimensions", x, at::ones({4, 3})},
      {"weight of four dimensions", x, at::ones({4, 3, 3, 3})},
      {"input of four dimensions", at::ones({2, 3, 9, 9}), w},
      {"input of one dimension", at::ones({9}), w},
      {"input of another type", x.to(at::kDouble), w},
      {"weight of another type", x, w.to(at::kHalf)},
      {"bias of another type", x, w, at::ones({4}, at::kDouble)},
      {"booleans", x.to(at::kBool), w.to(at::kBool)},
      {"undefined input", {}, w},
      {"undefined weight", x, {}},
  };
}

TEST(Errors, AreTorchs) {
  for (const Call& c : wrong_calls()) {
    for (const bool differentiable : {false, true}) {
      const at::NoGradGuard no_grad;
      const auto prepared = [&](const at::Tensor& tensor) {
        const bool can = differentiable && tensor.defined() && tensor.is_floating_point();
        return can ? tensor.detach().requires_grad_() : tensor;
      };
      const at::AutoGradMode grad_mode(differentiable);
      const at::Tensor input = prepared(c.input);
      const at::Tensor weight = prepared(c.weight);
      const std::string expected =
          thrown_by([&] { at::conv1d(input, weight, c.bias, c.stride, c.padding, c.dilation, c.groups); });
      const std::string got =
          thrown_by([&] { tapconv::conv1d(input, weight, c.bias, c.stride, c.padding, c.dilation, c.groups); });
      ASSERT_NE(expected, "") << c.what;
      EXPECT_EQ(got, expected) << c.what;
    }
  }
}

TEST(Errors, OfPaddingModesAreThoseOfPad) {
  const at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  const auto compare = [&](const at::Tensor& input, int64_t left, int64_t right, const char* mode) {
    const std::string expected = thrown_by([&] { at::conv1d(at::pad(input, {left, right}, mode), w); });
    const std::string got = thrown_by([&] { tapconv::conv1d(input, w, {}, 1, {left, right}, 1, 1, mode); });
    EXPECT_NE(expected, "") << mode << left << right;
    EXPECT_EQ(got, expected);
  };
  compare(x, 9, 0, "reflect");
  compare(x, 0, 9, "reflect");
  compare(x, 10, 0, "circular");
  compare(x, 0, 10, "circular");
  for (const char* mode : {"reflect", "replicate", "circular"}) compare(at::ones({2, 3, 0}), 1, 1, mode);
}

TEST(Errors, OfPaddingByName) {
  const at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  const auto compare = [&](const at::Tensor& weight, int64_t stride, int64_t dilation) {
    const std::string expected = thrown_by([&] { at::conv1d(x, weight, {}, stride, "same", dilation); });
    EXPECT_NE(expected, "");
    EXPECT_EQ(thrown_by([&] { tapconv::conv1d(x, weight, {}, stride, Padding::same, dilation); }), expected);
  };
  compare(w, 2, 1);
  compare(w, 1, 0);
  compare(w, 1, -1);
  compare(at::ones({4, 3}), 1, 1);
}

// What torch does not have names what was given and what is possible.
TEST(Errors, OfOurOwn) {
  const at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  EXPECT_THROW(tapconv::conv1d(x, w, {}, 1, 0, 1, 1, "mirror"), c10::ValueError);
  EXPECT_NE(thrown_by([&] {
              tapconv::conv1d(x, w, {}, 1, 0, 1, 1, "mirror");
            }).find("'replicate', 'circular'}, but got padding_mode='mirror'"),
            std::string::npos);
  EXPECT_THROW(tapconv::conv1d(x, w, {}, 1, 0, 1, 1, "zeros", "fastest"), c10::ValueError);
  EXPECT_NE(thrown_by([&] {
              tapconv::conv1d(x, w, {}, 1, 0, 1, 1, "zeros", "fastest");
            }).find("{'auto', 'direct', 'fft', 'winograd'}, but got algorithm='fastest'"),
            std::string::npos);
  EXPECT_NE(thrown_by([&] { tapconv::conv1d(x, w, {}, 1, {-1, 2}); }).find("negative padding is not supported"),
            std::string::npos);
}

TEST(Errors, OfOut) {
  at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  at::Tensor of_doubles = at::empty({2, 4, 7}, at::kDouble);
  EXPECT_NE(thrown_by([&] {
              tapconv::conv1d_out(of_doubles, x, w);
            }).find("Expected out tensor to have dtype float, but got double instead"),
            std::string::npos);
  at::Tensor memory = at::ones({200});
  at::Tensor input = memory.narrow(0, 0, 54).view({2, 3, 9});
  at::Tensor overlapping = memory.narrow(0, 20, 56).view({2, 4, 7});
  EXPECT_NE(thrown_by([&] { tapconv::conv1d_out(overlapping, input, w); }).find("refer to a single memory location"),
            std::string::npos);
  at::Tensor expanded = at::empty({1, 4, 1}).expand({2, 4, 7});
  EXPECT_NE(thrown_by([&] { tapconv::conv1d_out(expanded, x, w); }).find("refers to a single memory location"),
            std::string::npos);
  at::Tensor out = at::empty({0});
  EXPECT_NE(thrown_by([&] {
              tapconv::conv1d_out(out, x.requires_grad_(), w);
            }).find("don't support automatic differentiation"),
            std::string::npos);
}

// Numbers that no convolution has reach no division in any of the functions.
TEST(Errors, OfNumbersOutOfRange) {
  const at::Tensor x = at::ones({2, 4, 9});
  const at::Tensor w = at::ones({4, 2, 3});
  const at::Tensor packed = pack_weight(w, {.groups = 2});
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  namespace F = torch::nn::functional;
  for (const int64_t number : {int64_t(0), int64_t(-1), -huge / 2, lowest}) {
    for (int which = 0; which < 3; ++which) {
      const int64_t stride = which == 0 ? number : 1;
      const int64_t dilation = which == 1 ? number : 1;
      const int64_t groups = which == 2 ? number : 2;
      at::Tensor out = at::empty({0});
      EXPECT_THROW(tapconv::conv1d(x, w, {}, stride, 0, dilation, groups), c10::Error);
      EXPECT_THROW(tapconv::conv1d(x, w, {}, stride, Padding::same, dilation, groups), c10::Error);
      EXPECT_THROW(tapconv::conv1d(x, w, {}, stride, {1, 0}, dilation, groups, "reflect"), c10::Error);
      EXPECT_THROW(tapconv::conv1d_out(out, x, w, {}, stride, 0, dilation, groups), c10::Error);
      EXPECT_THROW(pack_weight(w, {.stride = stride, .dilation = dilation, .groups = groups}), c10::Error);
      EXPECT_THROW(conv1d_packed(x, packed, w.sizes(), {}, stride, 0, dilation, groups), c10::Error);
      EXPECT_THROW(conv1d_packed_out(out, x, packed, w.sizes(), {}, stride, 0, dilation, groups), c10::Error);
      // torch leaves some of these to oneDNN, whose error is of another type.
      const auto options = F::ConvTranspose1dFuncOptions().stride(stride).dilation(dilation).groups(groups);
      const std::string expected = thrown_by([&] { at::conv_transpose1d(x, w, {}, stride, 0, 0, groups, dilation); });
      EXPECT_NE(expected, "");
      EXPECT_EQ(thrown_by([&] { tapconv::conv_transpose1d(x, w, options); }), expected);
    }
  }
}

TEST(Errors, OfPackedCallsAreTorchs) {
  const at::Tensor x = at::ones({2, 3, 9});
  const at::Tensor w = at::ones({4, 3, 3});
  const at::Tensor packed = pack_weight(w);
  for (const Call& c : wrong_calls()) {
    if (!c.weight.defined() || !at::equal(c.weight, w) || !c.input.defined() || c.input.scalar_type() != at::kFloat)
      continue;
    if (c.dilation != std::vector<int64_t>{1} && c.dilation.size() == 1 && c.dilation[0] > 0)
      continue;  // not packed so
    if (c.groups > 1) continue;
    const std::string expected =
        thrown_by([&] { at::conv1d(c.input, w, c.bias, c.stride, c.padding, c.dilation, c.groups); });
    EXPECT_EQ(thrown_by([&] {
                conv1d_packed(c.input, packed, w.sizes(), c.bias, c.stride, c.padding, c.dilation, c.groups);
              }),
              expected)
        << c.what;
  }
}

}  // namespace
}  // namespace tapconv::testing
