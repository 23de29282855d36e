// What the operators on CUDA devices are made of beside the kernels: torch's own operators, which do the same on every
// device, so they are tested on the CPU, against torch's convolution in double precision.
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "composed/any_device/device_evenness.h"
#include "composed/any_device/device_overlap_save.h"
#include "composed/any_device/library_gradient.h"
#include "composed/any_device/padding.h"

namespace tapconv::composed {
namespace {

using kernels::PaddingMode;
using kernels::Problem;

// Every `step`-th of all combinations of a few sizes that make an output: few and many channels, and filters shorter
// and longer than the strides and dilations.
std::vector<Problem> problems(size_t step) {
  struct Channels {
    int64_t in, out, groups;
  };
  std::vector<Problem> list;
  for (const Channels channels : {Channels{1, 1, 1}, Channels{3, 3, 3}, Channels{4, 6, 2}, Channels{7, 9, 1}})
    for (const PaddingMode mode :
         {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate, PaddingMode::circular})
      for (const int64_t stride : {1, 2, 3, 4})
        for (const int64_t dilation : {1, 2, 3, 6})
          for (const int64_t kernel_size : {1, 2, 5, 11})
            for (const int64_t left : {0, 3}) {
              Problem p{};
              p.data_type = kernels::DataType::float64;
              p.padding_mode = mode;
              p.batch = 2;
              p.in_channels = channels.in;
              p.out_channels = channels.out;
              p.groups = channels.groups;
              p.input_length = 41;
              p.kernel_size = kernel_size;
              p.stride = stride;
              p.dilation = dilation;
              p.padding_left = left;
              p.padding_right = kernel_size % 2 == 0 ? left : 5 - left;
              const int64_t room = p.input_length + p.padding_left + p.padding_right - (kernel_size - 1) * dilation - 1;
              if (room < 0) continue;
              p.output_length = room / stride + 1;
              list.push_back(p);
            }
  std::vector<Problem> thin;
  for (size_t i = 0; i < list.size(); i += step) thin.push_back(list[i]);
  return thin;
}

std::string describe(const Problem& p) {
  return c10::str("channels ", p.in_channels, " -> ", p.out_channels, ", groups ", p.groups, ", taps ", p.kernel_size,
                  ", stride ", p.stride, ", dilation ", p.dilation, ", padding ", p.padding_left, ":", p.padding_right,
                  ", mode ", static_cast<int>(p.padding_mode));
}

// Tensors of one problem, and torch's answers by its own padding and its own derivatives.
struct Reference {
  explicit Reference(const Problem& p, at::ScalarType type) {
    const at::TensorOptions options(at::kDouble);
    input = at::randn({p.batch, p.in_channels, p.input_length}, options).to(type);
    weight = at::randn({p.out_channels, p.in_channels / p.groups, p.kernel_size}, options).to(type);
    bias = at::randn({p.out_channels}, options).to(type);
    grad_output = at::randn({p.batch, p.out_channels, p.output_length}, options).to(type);
    static constexpr std::array<std::string_view, 4> modes = {"constant", "reflect", "replicate", "circular"};
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& tensor : {input, weight, bias}) leaves.push_back(tensor.to(at::kDouble).requires_grad_());
    padded = at::pad(leaves[0], {p.padding_left, p.padding_right}, modes[static_cast<size_t>(p.padding_mode)]);
    output = at::conv1d(padded, leaves[1], leaves[2], {p.stride}, at::IntArrayRef{0}, {p.dilation}, p.groups);
    gradients = torch::autograd::grad({output}, leaves, {grad_output.to(at::kDouble)});
  }

  at::Tensor input, weight, bias, grad_output, padded, output;
  std::vector<at::Tensor> gradients;
};

void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(actual.to(at::kDouble), expected, tolerance, tolerance))
      << "off by " << (actual.to(at::kDouble) - expected).abs().max().item<double>();
}

TEST(DeviceGeneric, Padding) {
  at::manual_seed(1);
  for (const Problem& p : problems(31)) {
    SCOPED_TRACE(describe(p));
    const Reference reference(p, at::kDouble);
    EXPECT_TRUE(at::equal(pad(p, reference.input, p.padding_left, p.padding_right), reference.padded));
  }
}

TEST(DeviceGeneric, OverlapSave) {
  at::manual_seed(2);
  for (const Problem& p : problems(11)) {
    SCOPED_TRACE(describe(p));
    const Reference r(p, at::kDouble);
    expect_close(device_overlap_save_forward(p, r.input, r.weight, r.bias), r.output, 1e-10);
    expect_close(device_overlap_save_grad_input(p, r.grad_output, r.weight), r.gradients[0], 1e-10);
    expect_close(device_overlap_save_grad_weight(p, r.grad_output, r.input), r.gradients[1], 1e-10);
  }
}

// What may go by overlap-save, and what must not: numbers of very different size side by side, such as are not finite,
// whole ones, and filters that copy.
TEST(DeviceGeneric, EvenNumbers) {
  at::manual_seed(5);
  Problem p{};
  p.data_type = kernels::DataType::float64;
  p.padding_mode = PaddingMode::zeros;
  p.batch = 2;
  p.in_channels = p.out_channels = 6;
  p.groups = 3;
  p.input_length = 3000;
  p.kernel_size = 40;
  p.stride = 1;
  p.dilation = 2;
  p.output_length = p.input_length - (p.kernel_size - 1) * p.dilation;
  const at::TensorOptions options(at::kDouble);
  const at::Tensor weight = at::rand({6, 2, 40}, options) + 1;
  const at::Tensor input = at::rand({2, 6, 3000}, options) + 1;
  const at::Tensor grad_output = at::rand({2, 6, p.output_length}, options) + 1;
  EXPECT_TRUE(is_even_forward(p, input, weight));
  EXPECT_TRUE(is_even_grad_weight(p, grad_output, input));
  for (const double special : {1e4, 1e30, std::nan(""), HUGE_VAL}) {
    at::Tensor loud = input.clone();
    loud.index_put_({1, 3, 1500}, at::scalar_tensor(special, options));
    EXPECT_FALSE(is_even_forward(p, loud, weight)) << special;
    EXPECT_FALSE(is_even_grad_weight(p, grad_output, loud)) << special;
    at::Tensor gradient = grad_output.clone();
    gradient.index_put_({0, 2, 1000}, at::scalar_tensor(special, options));
    EXPECT_FALSE(is_even_grad_input(p, gradient, weight)) << special;
  }
  at::Tensor silent = input.clone();
  silent.narrow(2, 0, 1000).zero_();
  EXPECT_FALSE(is_even_forward(p, silent, weight));
  EXPECT_FALSE(is_even_forward(p, input.round(), weight.round()));
  EXPECT_FALSE(is_even_grad_weight(p, grad_output.round(), input.round()));
  at::Tensor copies = weight.clone();
  copies.select(0, 4).narrow(1, 1, 39).zero_();
  EXPECT_FALSE(is_even_forward(p, input, copies));
  // Every position sees as much as any other.
  p.kernel_size = 1;
  p.output_length = p.input_length;
  const at::Tensor everywhere = at::rand({2, 6, p.output_length}, options) + 1;
  const at::Tensor one_tap = at::rand({6, 2, 1}, options) + 1;
  EXPECT_FALSE(is_even_grad_input(p, everywhere, one_tap));  // single taps copy
  p.kernel_size = 2;
  p.dilation = 1;
  p.output_length = p.input_length - 1;
  EXPECT_TRUE(is_even_grad_input(p, everywhere.narrow(2, 0, p.output_length), at::rand({6, 2, 2}, options) + 1));
}

TEST(DeviceGeneric, LibraryGradients) {
  at::manual_seed(3);
  for (const Problem& p : problems(31)) {
    SCOPED_TRACE(describe(p));
    const Reference r(p, at::kDouble);
    expect_close(library_grad_input(p, r.grad_output, r.weight), r.gradients[0], 1e-10);
    const auto [grad_weight, grad_bias] = library_grad_weight(p, r.grad_output, r.input, /*wants_bias=*/true);
    expect_close(grad_weight, r.gradients[1], 1e-10);
    expect_close(grad_bias, r.gradients[2], 1e-10);
    EXPECT_FALSE(std::get<1>(library_grad_weight(p, r.grad_output, r.input, /*wants_bias=*/false)).defined());
  }
}

// Long enough for several blocks, and in the types that are summed in float32.
TEST(DeviceGeneric, OverlapSaveOfLongRowsInEveryType) {
  at::manual_seed(4);
  Problem p{};
  p.padding_mode = PaddingMode::reflect;
  p.batch = 3;
  p.in_channels = p.groups = 2;
  p.out_channels = 4;
  p.input_length = 20000;
  p.kernel_size = 301;
  p.stride = p.dilation = 1;
  p.padding_left = 300;
  p.output_length = p.input_length;
  for (const auto& [type, data_type, tolerance] : {std::tuple(at::kDouble, kernels::DataType::float64, 1e-9),
                                                   std::tuple(at::kFloat, kernels::DataType::float32, 2e-3),
                                                   std::tuple(at::kBFloat16, kernels::DataType::bfloat16, 2e-2),
                                                   std::tuple(at::kHalf, kernels::DataType::float16, 4e-3)}) {
    SCOPED_TRACE(c10::toString(type));
    p.data_type = data_type;
    const Reference r(p, type);
    const at::Tensor output = device_overlap_save_forward(p, r.input, r.weight, r.bias);
    EXPECT_EQ(output.scalar_type(), type);
    expect_close(output, r.output, tolerance);
    expect_close(device_overlap_save_grad_input(p, r.grad_output, r.weight), r.gradients[0], tolerance);
    expect_close(device_overlap_save_grad_weight(p, r.grad_output, r.input), r.gradients[1], tolerance);
  }
}

// Expanded gradients, as y.sum().backward() makes them, and inputs that are not contiguous.
TEST(DeviceGeneric, OverlapSaveOfStridedTensors) {
  at::manual_seed(5);
  for (const Problem& p : problems(37)) {
    SCOPED_TRACE(describe(p));
    const Reference r(p, at::kDouble);
    const at::Tensor channels_last = r.input.transpose(1, 2).contiguous().transpose(1, 2);
    expect_close(device_overlap_save_forward(p, channels_last, r.weight, at::Tensor()), r.output - r.bias.unsqueeze(-1),
                 1e-10);
    const at::Tensor ones = at::ones({}, r.output.options()).expand_as(r.output);
    expect_close(device_overlap_save_grad_weight(p, ones, channels_last),
                 device_overlap_save_grad_weight(p, ones.contiguous(), r.input), 1e-10);
    expect_close(device_overlap_save_grad_input(p, ones, r.weight),
                 device_overlap_save_grad_input(p, ones.contiguous(), r.weight), 1e-10);
  }
}

}  // namespace
}  // namespace tapconv::composed
