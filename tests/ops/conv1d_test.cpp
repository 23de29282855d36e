// The forward operator against torch::conv1d.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <tapconv/tapconv.h>
#include <torch/nn/functional/conv.h>

#include <functional>

#include "support.h"

namespace tapconv::testing {
namespace {

namespace F = torch::nn::functional;

void expect_equal(const at::Tensor& result, const at::Tensor& expected) {
  ASSERT_EQ(result.sizes(), expected.sizes());
  EXPECT_TRUE(result.is_contiguous());
  EXPECT_TRUE(at::equal(result, expected.to(result.scalar_type())));
}

void expect_close(const at::Tensor& result, const at::Tensor& expected) {
  ASSERT_EQ(result.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(result, expected, 1e-5, 1e-4));
}

class Conv1dOfType : public ::testing::TestWithParam<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(Types, Conv1dOfType, ::testing::ValuesIn(kernel_types),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

TEST_P(Conv1dOfType, EqualsTorchOverTheGrid) {
  at::manual_seed(1);
  for (const Case& c : grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    const Tensors tensors = integer_tensors(c, GetParam());
    expect_equal(actual(c, tensors), reference(c, tensors));
    if (HasFailure()) return;
  }
}

TEST_P(Conv1dOfType, WithoutBias) {
  at::manual_seed(2);
  for (const Case& c : thin_grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    Tensors tensors = integer_tensors(c, GetParam());
    tensors.bias = at::Tensor();
    expect_equal(actual(c, tensors), reference(c, tensors));
    if (HasFailure()) return;
  }
}

TEST_P(Conv1dOfType, UnbatchedAndEmptyBatch) {
  at::manual_seed(3);
  for (Case c : thin_grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    Tensors tensors = integer_tensors(c, GetParam());
    const at::Tensor batched = tensors.input;
    tensors.input = batched.select(0, 1);
    expect_equal(actual(c, tensors), reference(c, tensors));
    tensors.input = batched.narrow(0, 0, 0);
    expect_equal(actual(c, tensors), reference(c, tensors));
    if (HasFailure()) return;
  }
}

// The same numbers in other places of memory.
TEST_P(Conv1dOfType, ReadsAnyLayout) {
  at::manual_seed(4);
  const auto channels_last = [](const at::Tensor& t) { return t.permute({0, 2, 1}).contiguous().permute({0, 2, 1}); };
  const auto every_other = [](const at::Tensor& t) {
    return at::stack({t, t.neg()}, -1).flatten(-2).slice(-1, 0, {}, 2);
  };
  const auto first_dim_last = [](const at::Tensor& t) { return t.permute({1, 2, 0}).contiguous().permute({2, 0, 1}); };
  const auto one_sample = [](const at::Tensor& t) { return t.narrow(0, 0, 1).expand_as(t); };
  const auto one_value = [](const at::Tensor& t) { return t.flatten()[0].expand_as(t); };
  const auto inner_part = [](const at::Tensor& t) {
    return at::constant_pad_nd(t, {3, 2, 1, 1}, 7).narrow(1, 1, t.size(1)).narrow(2, 3, t.size(2));
  };
  const std::vector<std::function<at::Tensor(const at::Tensor&)>> layouts = {channels_last, every_other, first_dim_last,
                                                                             one_sample,    one_value,   inner_part};
  for (const Case& c : thin_grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    const Tensors dense = integer_tensors(c, GetParam());
    for (size_t i = 0; i < layouts.size(); ++i) {
      SCOPED_TRACE(i);
      const Tensors tensors = {layouts[i](dense.input), layouts[i](dense.weight),
                               at::stack({dense.bias, dense.bias}, 1).select(1, 0)};
      expect_equal(actual(c, tensors), reference(c, tensors));
    }
    if (HasFailure()) return;
  }
}

// Rounding units: of the type that sums are kept in, and of the type of the result.
double compute_unit(at::ScalarType type) { return type == at::kDouble ? 0x1p-53 : 0x1p-24; }
double store_unit(at::ScalarType type) { return type == at::kBFloat16 ? 0x1p-8 : type == at::kHalf ? 0x1p-11 : 0; }

// The most that a result may be off: what adding up in order allows of sums of `magnitude`, and one rounding to the
// type.
at::Tensor bound_of(const at::Tensor& magnitude, const at::Tensor& expected, double terms, at::ScalarType type) {
  // 2^-24: the smallest step of float16, for results near zero.
  const double smallest = store_unit(type) == 0 ? 0 : 0x1p-24;
  return magnitude * (terms * compute_unit(type)) + expected.abs() * store_unit(type) + smallest;
}

TEST_P(Conv1dOfType, ErrorIsBounded) {
  at::manual_seed(5);
  for (const Channels channels : {Channels{1, 1, 1}, {64, 32, 1}, {32, 32, 32}}) {
    const Case c{2, channels, 300, 9, 1, 2, {4, 4}, "reflect"};
    const auto random = [](at::IntArrayRef shape) { return at::randn(shape, at::kDouble).to(GetParam()); };
    const Tensors tensors = {random({2, channels.in, 300}), random({channels.out, channels.in / channels.groups, 9}),
                             random({channels.out})};
    const at::Tensor expected = reference(c, tensors);
    const at::Tensor magnitude = reference(c, {tensors.input.abs(), tensors.weight.abs(), tensors.bias.abs()});
    const double terms = double(channels.in / channels.groups * 9 + 1);
    const at::Tensor bound = bound_of(magnitude, expected, terms, GetParam());
    const at::Tensor error = (actual(c, tensors).to(at::kDouble) - expected).abs();
    EXPECT_TRUE((error <= bound).all().item<bool>()) << c << ": " << (error / bound).max().item<double>();
  }
}

// Whatever algorithm is chosen: a transform's error is bounded by all that its tile saw, not by what one output sums.
TEST_P(Conv1dOfType, EveryChoiceIsWithinItsBound) {
  at::manual_seed(11);
  for (const Case& c : grid()) {
    const Tensors tensors = integer_tensors(c, GetParam());
    const at::Tensor expected = reference(c, tensors);
    const double terms = double(c.channels.in / c.channels.groups * c.kernel_size + 1);
    const at::Tensor bound = bound_of(at::full_like(expected, 9 * terms), expected, terms + 8, GetParam());
    const at::Tensor output = actual(c, tensors, "auto");
    ASSERT_EQ(output.sizes(), expected.sizes());
    const at::Tensor error = (output.to(at::kDouble) - expected).abs();
    ASSERT_TRUE((error <= bound).all().item<bool>()) << c << ": " << (error / bound).max().item<double>();
  }
}

TEST(Conv1d, TakesTorchsOptions) {
  at::manual_seed(6);
  const at::Tensor input = integers({2, 4, 21}, at::kFloat);
  const at::Tensor weight = integers({6, 2, 4}, at::kFloat);
  const at::Tensor bias = integers({6}, at::kFloat);
  const std::vector<F::Conv1dFuncOptions> every_options = {
      F::Conv1dFuncOptions().groups(2), F::Conv1dFuncOptions().groups(2).bias(bias).stride(3).padding(2).dilation(2),
      F::Conv1dFuncOptions().groups(2).padding(torch::kSame).dilation(3),
      F::Conv1dFuncOptions().groups(2).padding(torch::kValid).stride(2)};
  for (const auto& options : every_options) {
    expect_close(tapconv::conv1d(input, weight, options), F::conv1d(input, weight, options));
  }
  expect_close(tapconv::conv1d(input, weight.repeat({1, 2, 1})), F::conv1d(input, weight.repeat({1, 2, 1})));
}

TEST(Conv1d, PaddingByName) {
  at::manual_seed(7);
  const at::Tensor input = integers({2, 4, 21}, at::kFloat);
  for (const int64_t kernel_size : {1, 2, 5}) {
    const at::Tensor weight = integers({6, 4, kernel_size}, at::kFloat);
    const int64_t reach = 3 * (kernel_size - 1);
    expect_close(tapconv::conv1d(input, weight, {}, 1, Padding::valid, 3),
                 at::conv1d(input, weight, {}, 1, "valid", 3));
    expect_close(tapconv::conv1d(input, weight, {}, 1, Padding::same, 3), at::conv1d(input, weight, {}, 1, "same", 3));
    const at::Tensor padded = at::constant_pad_nd(input, {reach, 0});
    expect_close(tapconv::conv1d(input, weight, {}, 2, Padding::causal, 3),
                 at::conv1d(padded, weight, {}, 2, no_padding, 3));
    const at::Tensor circular = at::pad(input, {reach / 2, reach - reach / 2}, "circular");
    expect_close(tapconv::conv1d(input, weight, {}, 1, Padding::same, 3, 1, "circular"),
                 at::conv1d(circular, weight, {}, 1, no_padding, 3));
  }
}

TEST(Conv1d, WhatTheKernelsDoNotTakeIsTorchs) {
  at::manual_seed(8);
  for (const at::ScalarType type : {at::kLong, at::kComplexFloat, at::kComplexDouble}) {
    const at::Tensor input = integers({2, 4, 21}, type);
    const at::Tensor weight = integers({6, 2, 3}, type);
    EXPECT_TRUE(at::equal(tapconv::conv1d(input, weight, {}, 2, 1, 2, 2), at::conv1d(input, weight, {}, 2, 1, 2, 2)));
    const at::Tensor padded = at::constant_pad_nd(input, {3, 1});
    EXPECT_TRUE(at::equal(tapconv::conv1d(input, weight, {}, 2, {3, 1}, 2, 2),
                          at::conv1d(padded, weight, {}, 2, no_padding, 2, 2)));
  }
  const at::Tensor no_channels = tapconv::conv1d(at::zeros({2, 0, 9}), at::zeros({4, 0, 3}), {}, 1);
  EXPECT_EQ(no_channels.sizes(), at::conv1d(at::zeros({2, 0, 9}), at::zeros({4, 0, 3})).sizes());
}

TEST(Conv1d, MetaTensorsGiveTheShape) {
  for (const Case& c : thin_grid()) {
    const Tensors tensors = integer_tensors(c, at::kFloat);
    const at::Tensor result =
        actual(c, {tensors.input.to(at::kMeta), tensors.weight.to(at::kMeta), tensors.bias.to(at::kMeta)});
    EXPECT_TRUE(result.is_meta());
    EXPECT_EQ(result.sizes(), reference(c, tensors).sizes()) << c;
  }
}

TEST(Conv1dOut, WritesIntoWhatItIsGiven) {
  at::manual_seed(9);
  for (const Case& c : thin_grid()) {
    const Tensors t = integer_tensors(c, at::kFloat);
    const at::Tensor expected = reference(c, t).to(at::kFloat);
    at::Tensor strided = at::full({expected.size(2), expected.size(1), expected.size(0)}, 7.f).permute({2, 1, 0});
    at::Tensor dense = at::full(expected.sizes(), 7.f);
    at::Tensor empty = at::empty({0});
    for (at::Tensor* out : {&strided, &dense, &empty}) {
      const void* memory = out->data_ptr();
      const at::Tensor& returned = tapconv::conv1d_out(*out, t.input, t.weight, t.bias, c.stride, c.padding, c.dilation,
                                                       c.channels.groups, c.padding_mode, "direct");
      EXPECT_TRUE(returned.is_same(*out));
      EXPECT_TRUE(at::equal(*out, expected)) << c;
      EXPECT_TRUE(out == &empty || out->data_ptr() == memory);
    }
  }
}

TEST(Conv1d, HugeOutput) {
  // More than 4 MiB: the output that is marked for huge pages.
  const at::Tensor input = integers({1, 2, 1 << 20}, at::kFloat);
  const at::Tensor weight = integers({2, 2, 3}, at::kFloat);
  expect_equal(tapconv::conv1d(input, weight, {}, 1, 1, 1, 1, "zeros", "direct"), at::conv1d(input, weight, {}, 1, 1));
}

// The number of threads divides the work, and never changes a bit.
TEST(Conv1d, AnyNumberOfThreadsGivesTheSameBits) {
  at::manual_seed(10);
  const int threads = at::get_num_threads();
  const at::Tensor input = at::randn({3, 48, 1000});
  const at::Tensor weight = at::randn({40, 48, 7});
  at::set_num_threads(1);
  const at::Tensor one = tapconv::conv1d(input, weight, {}, 1, 3);
  for (const int count : {2, 3, 5}) {
    at::set_num_threads(count);
    EXPECT_TRUE(at::equal(tapconv::conv1d(input, weight, {}, 1, 3), one)) << count;
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace tapconv::testing
