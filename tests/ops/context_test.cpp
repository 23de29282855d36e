// tapconv::conv1d_context against torch's convolution of the signal that borders and input make together.
#include <gtest/gtest.h>
#include <tapconv/functional.h>
#include <torch/autograd.h>

#include "support.h"

namespace tapconv::testing {
namespace {

class ContextOfType : public ::testing::TestWithParam<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(Types, ContextOfType, ::testing::ValuesIn(kernel_types),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

// Over the grid's problems whose padding is zeros, with borders that fill it and that leave zeros.
TEST_P(ContextOfType, EqualsTorchOverTheGrid) {
  at::manual_seed(1);
  int count = 0;
  for (const Case& c : thin_grid()) {
    if (c.padding_mode != "zeros") continue;
    SCOPED_TRACE(::testing::PrintToString(c));
    ++count;
    const Tensors tensors = integer_tensors(c, GetParam());
    const int64_t lacking = count % 2;
    const at::Tensor left =
        integers({c.batch, c.channels.in, std::max<int64_t>(c.padding[0] - lacking, 0)}, GetParam());
    const at::Tensor right = integers({c.batch, c.channels.in, c.padding[1] + 3}, GetParam());
    const at::Tensor output = tapconv::conv1d_context(tensors.input, tensors.weight, tensors.bias, left, right,
                                                      c.stride, c.padding, c.dilation, c.channels.groups, "direct");
    Case joined = c;
    joined.padding = {c.padding[0] - left.size(-1), 0};
    const at::Tensor read = right.narrow(-1, 0, c.padding[1]);
    const at::Tensor expected =
        reference(joined, {at::cat({left, tensors.input, read}, -1), tensors.weight, tensors.bias});
    EXPECT_TRUE(at::equal(output, expected.to(GetParam())));
  }
  EXPECT_GT(count, 10);
}

TEST(Context, HasGradients) {
  const at::TensorOptions options = at::TensorOptions(at::kDouble).requires_grad(true);
  const at::Tensor input = torch::randn({2, 4, 9}, options);
  const at::Tensor weight = torch::randn({6, 4, 3}, options);
  const at::Tensor left = torch::randn({2, 4, 2}, options);
  const auto ours = torch::autograd::grad(
      {tapconv::conv1d_context(input, weight, {}, left, {}, 1, {2, 0}).square().sum()}, {input, weight, left});
  const auto theirs =
      torch::autograd::grad({at::conv1d(at::cat({left, input}, -1), weight).square().sum()}, {input, weight, left});
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(at::allclose(ours[i], theirs[i]));
}

TEST(Context, RefusesBordersThatDoNotFit) {
  const at::Tensor input = at::ones({2, 4, 9});
  const at::Tensor weight = at::ones({6, 4, 3});
  EXPECT_THROW(tapconv::conv1d_context(input, weight, {}, at::ones({1, 4, 2}), {}, 1, 2), c10::Error);
  EXPECT_THROW(tapconv::conv1d_context(input, weight, {}, {}, at::ones({2, 4, 2}, at::kDouble), 1, 2), c10::Error);
}

}  // namespace
}  // namespace tapconv::testing
