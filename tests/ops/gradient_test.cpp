// Gradients against torch's, over the grid, in every type.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "support.h"

namespace tapconv::testing {
namespace {

using torch::autograd::variable_list;

variable_list leaves(const Tensors& tensors, at::ScalarType type) {
  variable_list list;
  for (const at::Tensor& tensor : {tensors.input, tensors.weight, tensors.bias}) {
    list.push_back(tensor.detach().to(type).requires_grad_());
  }
  return list;
}

Tensors tensors_of(const variable_list& list) { return {list[0], list[1], list[2]}; }

class GradientOfType : public ::testing::TestWithParam<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(Types, GradientOfType, ::testing::ValuesIn(kernel_types),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

TEST_P(GradientOfType, EqualsTorchOverTheGrid) {
  at::manual_seed(1);
  for (const Case& c : thin_grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    const Tensors tensors = integer_tensors(c, GetParam());
    const variable_list ours = leaves(tensors, GetParam());
    const variable_list theirs = leaves(tensors, at::kDouble);
    const at::Tensor output = actual(c, tensors_of(ours));
    const at::Tensor grad_output = integers(output.sizes(), GetParam());
    const variable_list gradients = torch::autograd::grad({output}, ours, {grad_output});
    const variable_list expected =
        torch::autograd::grad({reference(c, tensors_of(theirs))}, theirs, {grad_output.to(at::kDouble)});
    for (size_t i = 0; i < gradients.size(); ++i) {
      SCOPED_TRACE(i);
      ASSERT_EQ(gradients[i].sizes(), expected[i].sizes());
      ASSERT_TRUE(at::equal(gradients[i], expected[i].to(GetParam())));
    }
  }
}

// y.sum().backward() hands the kernels a grad_output whose strides are all zero.
TEST_P(GradientOfType, OfASum) {
  at::manual_seed(2);
  for (const Case& c : thin_grid()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    const Tensors tensors = integer_tensors(c, GetParam());
    const variable_list ours = leaves(tensors, GetParam());
    const variable_list theirs = leaves(tensors, at::kDouble);
    const at::Tensor output = actual(c, tensors_of(ours));
    const at::Tensor ones = at::ones({}, output.options()).expand_as(output);
    const variable_list gradients = torch::autograd::grad({output}, ours, {ones});
    const variable_list expected = torch::autograd::grad({reference(c, tensors_of(theirs)).sum()}, theirs);
    for (size_t i = 0; i < gradients.size(); ++i) ASSERT_TRUE(at::equal(gradients[i], expected[i].to(GetParam()))) << i;
  }
}

TEST(Gradient, OfUnbatchedAndOfAnEmptyBatch) {
  at::manual_seed(3);
  const Case c{2, {4, 6, 2}, 11, 3, 2, 1, {2, 1}, "reflect"};
  const Tensors tensors = integer_tensors(c, at::kDouble);
  for (const at::Tensor& input : {tensors.input.select(0, 0), tensors.input.narrow(0, 0, 0)}) {
    const variable_list ours = leaves({input, tensors.weight, tensors.bias}, at::kDouble);
    const variable_list theirs = leaves({input, tensors.weight, tensors.bias}, at::kDouble);
    const variable_list gradients = torch::autograd::grad({actual(c, tensors_of(ours)).sum()}, ours);
    const variable_list expected = torch::autograd::grad({reference(c, tensors_of(theirs)).sum()}, theirs);
    for (size_t i = 0; i < gradients.size(); ++i) EXPECT_TRUE(at::equal(gradients[i], expected[i])) << i;
  }
}

TEST(Gradient, SecondOrder) {
  at::manual_seed(4);
  for (const Case& c : thin_grid()) {
    const Tensors tensors = integer_tensors(c, at::kDouble);
    const auto second = [&](const auto& convolve) {
      const variable_list x = leaves(tensors, at::kDouble);
      const at::Tensor output = convolve(c, tensors_of(x));
      const variable_list first =
          torch::autograd::grad({(output * output).sum()}, x, {}, /*retain_graph=*/true, /*create_graph=*/true);
      const at::Tensor loss = first[0].sum() + (first[1] * first[1]).sum() + first[2].sum();
      return torch::autograd::grad({loss}, x);
    };
    const variable_list gradients = second([](const Case& problem, const Tensors& x) { return actual(problem, x); });
    const variable_list expected = second(reference);
    for (size_t i = 0; i < gradients.size(); ++i) ASSERT_TRUE(at::equal(gradients[i], expected[i])) << c << ", " << i;
  }
}

// Whatever algorithm is chosen.
TEST_P(GradientOfType, EveryChoiceIsClose) {
  at::manual_seed(6);
  const double unit = GetParam() == at::kBFloat16 ? 0x1p-8 : GetParam() == at::kHalf ? 0x1p-11 : 0x1p-20;
  for (const Case& c : thin_grid()) {
    const Tensors tensors = integer_tensors(c, GetParam());
    const variable_list ours = leaves(tensors, GetParam());
    const variable_list theirs = leaves(tensors, at::kDouble);
    const at::Tensor output = actual(c, tensors_of(ours), "auto");
    const at::Tensor grad_output = integers(output.sizes(), GetParam());
    const variable_list gradients = torch::autograd::grad({output}, ours, {grad_output});
    const variable_list expected =
        torch::autograd::grad({reference(c, tensors_of(theirs))}, theirs, {grad_output.to(at::kDouble)});
    for (size_t i = 0; i < gradients.size(); ++i) {
      const double scale = 1 + expected[i].abs().max().item<double>();
      const double error = (gradients[i].to(at::kDouble) - expected[i]).abs().max().item<double>();
      ASSERT_LE(error, 2 * unit * scale) << c << ", " << i;
    }
  }
}

TEST(Gradient, OnlyWhatIsNeeded) {
  const Case c{2, {4, 6, 2}, 11, 3, 2, 1, {2, 1}, "zeros"};
  for (int mask = 1; mask < 8; ++mask) {
    Tensors tensors = integer_tensors(c, at::kDouble);
    variable_list wanted;
    int i = 0;
    for (at::Tensor* tensor : {&tensors.input, &tensors.weight, &tensors.bias}) {
      if (mask >> i++ & 1) wanted.push_back(tensor->requires_grad_());
    }
    const variable_list gradients = torch::autograd::grad({actual(c, tensors).sum()}, wanted);
    const variable_list expected = torch::autograd::grad({reference(c, tensors).sum()}, wanted);
    for (size_t j = 0; j < wanted.size(); ++j) EXPECT_TRUE(at::equal(gradients[j], expected[j])) << mask << ", " << j;
  }
}

TEST(Gradient, OfComplexNumbersIsTorchs) {
  const Case c{2, {4, 6, 2}, 11, 3, 2, 1, {2, 1}, "zeros"};
  const auto complex = [](at::IntArrayRef shape) {
    return at::complex(integers(shape, at::kDouble), integers(shape, at::kDouble)).requires_grad_();
  };
  const at::Tensor input = complex({2, 4, 11});
  const at::Tensor weight = complex({6, 2, 3});
  const variable_list gradients =
      torch::autograd::grad({at::real(actual(c, {input, weight, {}})).sum()}, {input, weight});
  const at::Tensor expected_output = at::conv1d(at::constant_pad_nd(input, {2, 1}), weight, {}, 2, no_padding, 1, 2);
  const variable_list expected = torch::autograd::grad({at::real(expected_output).sum()}, {input, weight});
  EXPECT_TRUE(at::equal(gradients[0], expected[0]));
  EXPECT_TRUE(at::equal(gradients[1], expected[1]));
}

TEST(Gradient, BitsDoNotDependOnTheNumberOfThreads) {
  at::manual_seed(5);
  const int threads = at::get_num_threads();
  const variable_list x = {at::randn({4, 24, 3000}).requires_grad_(), at::randn({32, 24, 5}).requires_grad_(),
                           at::randn({32}).requires_grad_()};
  const at::Tensor grad_output = at::randn({4, 32, 2996});
  const Case c{4, {24, 32, 1}, 3000, 5, 1, 1, {0, 0}, "zeros"};
  const auto gradients_with = [&](int count) {
    at::set_num_threads(count);
    return torch::autograd::grad({actual(c, tensors_of(x))}, {x[0], x[1]}, {grad_output});
  };
  const variable_list one = gradients_with(1);
  for (const int count : {2, 3, 5}) {
    const variable_list many = gradients_with(count);
    EXPECT_TRUE(at::equal(many[0], one[0])) << count;
    EXPECT_TRUE(at::equal(many[1], one[1])) << count;
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace tapconv::testing
