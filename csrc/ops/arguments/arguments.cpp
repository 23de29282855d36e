#include "ops/arguments/arguments.h"

#include <c10/util/Exception.h>

#include "ops/arguments/conditions.h"

namespace tapconv::ops {
namespace {

using kernels::DataType;
using kernels::PaddingMode;

// Arithmetic that says whether it overflowed. Symbolic sizes are those of tensors that exist, or will.
bool multiply(int64_t a, int64_t b, int64_t* product) { return !__builtin_mul_overflow(a, b, product); }
bool add(int64_t a, int64_t b, int64_t* sum) { return !__builtin_add_overflow(a, b, sum); }

template <bool (*checked)(int64_t, int64_t, int64_t*)>
std::optional<bool> both_plain(const c10::SymInt& a, const c10::SymInt& b, c10::SymInt* result) {
  const auto plain_a = a.maybe_as_int();
  const auto plain_b = b.maybe_as_int();
  if (!plain_a || !plain_b) return std::nullopt;
  int64_t plain_result = 0;
  const bool fits = checked(*plain_a, *plain_b, &plain_result);
  if (fits) *result = plain_result;
  return fits;
}

bool multiply(const c10::SymInt& a, const c10::SymInt& b, c10::SymInt* product) {
  if (const auto plain = both_plain<multiply>(a, b, product)) return *plain;
  *product = a * b;
  return true;
}

bool add(const c10::SymInt& a, const c10::SymInt& b, c10::SymInt* sum) {
  if (const auto plain = both_plain<add>(a, b, sum)) return *plain;
  *sum = a + b;
  return true;
}

template <typename Int>
Int size_of(const at::Tensor& tensor, int64_t dim) {
  if constexpr (std::is_same_v<Int, int64_t>) {
    return tensor.size(dim);
  } else {
    return tensor.sym_size(dim);
  }
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && !tensor.is_nested() && has_kernels(tensor.device());
}

bool are_alike(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.device() == b.device() && is_plain(b);
}

bool is_activation(const at::Tensor& tensor) { return tensor.dim() == 2 || tensor.dim() == 3; }

template <typename Int>
bool padding_fits(const Int& input_length, const AttributesOf<Int>& attributes) {
  const Int& left = attributes.padding_left;
  const Int& right = attributes.padding_right;
  switch (attributes.padding_mode) {
    case PaddingMode::zeros:
    case PaddingMode::replicate:
      return true;
    case PaddingMode::reflect:
      return holds(c10::sym_lt(left, input_length)) && holds(c10::sym_lt(right, input_length));
    case PaddingMode::circular:
      return holds(c10::sym_le(left, input_length)) && holds(c10::sym_le(right, input_length));
  }
  return false;
}

// The number of outputs, or nothing if there would be none or a size overflows.
template <typename Int>
std::optional<Int> output_length_of(const Int& input_length, const Int& kernel_size,
                                    const AttributesOf<Int>& attributes) {
  const Int one(1);
  if (!holds(c10::sym_ge(input_length, one)) || !holds(c10::sym_ge(kernel_size, one))) return std::nullopt;
  Int padded(0);
  Int reach(0);  // from the first tap to the last
  const bool fits = add(input_length, attributes.padding_left, &padded) &&
                    add(padded, attributes.padding_right, &padded) &&
                    multiply(kernel_size - one, attributes.dilation, &reach);
  if (!fits || !holds(c10::sym_gt(padded, reach))) return std::nullopt;
  if (!padding_fits(input_length, attributes)) return std::nullopt;
  return (padded - reach - one) / attributes.stride + one;
}

template <typename Int>
bool channels_fit(const Int& in_channels, const Int& out_channels, const AttributesOf<Int>& attributes) {
  const Int& groups = attributes.groups;
  const Int zero(0);
  return holds(c10::sym_ge(in_channels, groups)) && holds(c10::sym_ge(out_channels, groups)) &&
         holds(c10::sym_eq(in_channels % groups, zero)) && holds(c10::sym_eq(out_channels % groups, zero));
}

template <typename Int>
bool bias_fits(const std::optional<at::Tensor>& bias, const at::Tensor& input, const Int& out_channels) {
  if (!bias || !bias->defined()) return true;
  return bias->dim() == 1 && are_alike(input, *bias) && holds(c10::sym_eq(size_of<Int>(*bias, 0), out_channels));
}

// The types, devices and numbers of dimensions that the kernels take.
bool are_tensors_for_kernels(const at::Tensor& input, const at::Tensor& weight) {
  return is_activation(input) && weight.dim() == 3 && data_type_of(input.scalar_type()) && is_plain(input) &&
         are_alike(input, weight);
}

void check_gradient_tensors(const char* name, const char* first_name, const at::Tensor& first, const char* second_name,
                            const at::Tensor& second) {
  TORCH_CHECK(is_plain(first) && are_alike(first, second) && data_type_of(first.scalar_type()), name, ": expected ",
              first_name, " and ", second_name, " of one type, float32, float64, bfloat16 or float16, on the CPU, got ",
              first.toString(), " on ", first.device(), " and ", second.toString(), " on ", second.device());
}

}  // namespace

std::optional<DataType> data_type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return DataType::float32;
    case at::kDouble:
      return DataType::float64;
    case at::kBFloat16:
      return DataType::bfloat16;
    case at::kHalf:
      return DataType::float16;
    default:
      return std::nullopt;
  }
}

bool has_kernels(const at::Device& device) {
  return device.is_cpu() || device.is_meta() || (TAPCONV_HAVE_CUDA && device.is_cuda());
}

template <typename Int>
std::optional<Sizes<Int>> forward_sizes(const at::Tensor& input, const at::Tensor& weight,
                                        const std::optional<at::Tensor>& bias, const AttributesOf<Int>& attributes) {
  if (weight.dim() != 3 || !are_alike(input, weight)) return std::nullopt;
  return forward_sizes<Int>(input, {size_of<Int>(weight, 0), size_of<Int>(weight, 1), size_of<Int>(weight, 2)}, bias,
                            attributes);
}

template <typename Int>
std::optional<Sizes<Int>> forward_sizes(const at::Tensor& input, const std::array<Int, 3>& weight_shape,
                                        const std::optional<at::Tensor>& bias, const AttributesOf<Int>& attributes) {
  if (!is_activation(input) || !data_type_of(input.scalar_type()) || !is_plain(input)) return std::nullopt;
  const bool batched = input.dim() == 3;
  Sizes<Int> sizes{.batched = batched,
                   .batch = batched ? size_of<Int>(input, 0) : Int(1),
                   .in_channels = size_of<Int>(input, -2),
                   .input_length = size_of<Int>(input, -1),
                   .out_channels = weight_shape[0],
                   .kernel_size = weight_shape[2],
                   .output_length = Int(0)};
  if (!channels_fit(sizes.in_channels, sizes.out_channels, attributes) ||
      !holds(c10::sym_eq(sizes.in_channels / attributes.groups, weight_shape[1]))) {
    return std::nullopt;
  }
  if (!bias_fits(bias, input, sizes.out_channels)) return std::nullopt;
  const auto output_length = output_length_of(sizes.input_length, sizes.kernel_size, attributes);
  if (!output_length) return std::nullopt;
  sizes.output_length = *output_length;
  return sizes;
}

bool kernels_take(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymAttributes& attributes) {
  const auto is_symbolic = [](const at::Tensor& tensor) {
    return tensor.unsafeGetTensorImpl()->has_symbolic_sizes_strides();
  };
  const auto plain_attributes = plain(attributes);
  if (!plain_attributes || is_symbolic(input) || is_symbolic(weight) ||
      (bias && bias->defined() && is_symbolic(*bias))) {
    return forward_sizes(input, weight, bias, attributes).has_value();
  }
  return forward_sizes(input, weight, bias, *plain_attributes).has_value();
}

std::optional<c10::SymInt> transposed_length(const at::Tensor& input, const at::Tensor& weight,
                                             const std::optional<at::Tensor>& bias, const SymAttributes& attributes,
                                             const c10::SymInt& output_padding) {
  using Int = c10::SymInt;
  if (!are_tensors_for_kernels(input, weight)) return std::nullopt;
  // As many samples more, and the convolution back would have another output.
  if (!holds(c10::sym_ge(output_padding, Int(0))) || !holds(c10::sym_lt(output_padding, attributes.stride))) {
    return std::nullopt;
  }
  Int out_channels(0);
  if (!multiply(size_of<Int>(weight, 1), attributes.groups, &out_channels) ||
      !channels_fit(out_channels, size_of<Int>(weight, 0), attributes) ||
      !holds(c10::sym_eq(size_of<Int>(weight, 0), size_of<Int>(input, -2))) || !bias_fits(bias, input, out_channels)) {
    return std::nullopt;
  }
  const Int one(1);
  const Int input_length = size_of<Int>(input, -1);
  const Int kernel_size = size_of<Int>(weight, 2);
  if (!holds(c10::sym_ge(input_length, one)) || !holds(c10::sym_ge(kernel_size, one))) return std::nullopt;
  Int reach(0);    // from the first tap to the last
  Int padded(0);   // the output with its padding
  Int padding(0);  // of both ends
  const bool fits = multiply(kernel_size - one, attributes.dilation, &reach) &&
                    multiply(input_length - one, attributes.stride, &padded) && add(padded, reach, &padded) &&
                    add(padded, output_padding, &padded) && add(padded, one, &padded) &&
                    add(attributes.padding_left, attributes.padding_right, &padding);
  if (!fits || !holds(c10::sym_gt(padded, padding))) return std::nullopt;
  return padded - padding;
}

template <typename Int>
Sizes<Int> grad_input_sizes(const at::Tensor& grad_output, const at::Tensor& weight, const Int& input_length,
                            const AttributesOf<Int>& attributes) {
  constexpr const char* name = "conv1d_grad_input";
  check_gradient_tensors(name, "grad_output", grad_output, "weight", weight);
  TORCH_CHECK(is_activation(grad_output) && weight.dim() == 3, name,
              ": expected grad_output of 2 (unbatched) or 3 dimensions and weight of 3, got ", grad_output.sym_sizes(),
              " and ", weight.sym_sizes());
  const bool batched = grad_output.dim() == 3;
  Int in_channels(0);
  const bool fits = multiply(size_of<Int>(weight, 1), attributes.groups, &in_channels);
  const Sizes<Int> sizes{.batched = batched,
                         .batch = batched ? size_of<Int>(grad_output, 0) : Int(1),
                         .in_channels = in_channels,
                         .input_length = input_length,
                         .out_channels = size_of<Int>(weight, 0),
                         .kernel_size = size_of<Int>(weight, 2),
                         .output_length = size_of<Int>(grad_output, -1)};
  const auto output_length = output_length_of(sizes.input_length, sizes.kernel_size, attributes);
  TORCH_CHECK(fits && output_length && holds(c10::sym_eq(*output_length, sizes.output_length)) &&
                  holds(c10::sym_eq(sizes.out_channels, size_of<Int>(grad_output, -2))) &&
                  channels_fit(sizes.in_channels, sizes.out_channels, attributes),
              name, ": no convolution of an input of length ", input_length, " with a weight of size ",
              weight.sym_sizes(), ", stride ", attributes.stride, ", padding (", attributes.padding_left, ", ",
              attributes.padding_right, ", ", name_of(attributes.padding_mode), "), dilation ", attributes.dilation,
              " and ", attributes.groups, " groups has an output of size ", grad_output.sym_sizes());
  return sizes;
}

template <typename Int>
Sizes<Int> grad_weight_sizes(const at::Tensor& grad_output, const at::Tensor& input, const Int& kernel_size,
                             const AttributesOf<Int>& attributes) {
  constexpr const char* name = "conv1d_grad_weight";
  check_gradient_tensors(name, "grad_output", grad_output, "input", input);
  TORCH_CHECK(is_activation(grad_output) && grad_output.dim() == input.dim(), name,
              ": expected grad_output and input of 2 (unbatched) or 3 dimensions each, got ", grad_output.sym_sizes(),
              " and ", input.sym_sizes());
  const bool batched = grad_output.dim() == 3;
  const Sizes<Int> sizes{.batched = batched,
                         .batch = batched ? size_of<Int>(input, 0) : Int(1),
                         .in_channels = size_of<Int>(input, -2),
                         .input_length = size_of<Int>(input, -1),
                         .out_channels = size_of<Int>(grad_output, -2),
                         .kernel_size = kernel_size,
                         .output_length = size_of<Int>(grad_output, -1)};
  const auto output_length = output_length_of(sizes.input_length, sizes.kernel_size, attributes);
  TORCH_CHECK(output_length && holds(c10::sym_eq(*output_length, sizes.output_length)) &&
                  (!batched || holds(c10::sym_eq(sizes.batch, size_of<Int>(grad_output, 0)))) &&
                  channels_fit(sizes.in_channels, sizes.out_channels, attributes),
              name, ": no convolution of an input of size ", input.sym_sizes(), " with a weight of ", kernel_size,
              " taps, stride ", attributes.stride, ", padding (", attributes.padding_left, ", ",
              attributes.padding_right, ", ", name_of(attributes.padding_mode), "), dilation ", attributes.dilation,
              " and ", attributes.groups, " groups has an output of size ", grad_output.sym_sizes());
  return sizes;
}

namespace {

template <typename Int>
AttributesOf<Int> understood_or_raised(const RawAttributesOf<Int>& raw, const char* name) {
  const auto attributes = understand(raw);
  TORCH_CHECK(attributes, name,
              ": expected one stride, one dilation and groups, each at least 1, and one or two paddings, each at least "
              "0; got stride=",
              raw.stride, ", padding=", raw.padding, ", dilation=", raw.dilation, ", groups=", raw.groups);
  return *attributes;
}

}  // namespace

Attributes understand_or_raise(const RawAttributes& raw, const char* name) { return understood_or_raised(raw, name); }
SymAttributes understand_or_raise(const SymRawAttributes& raw, const char* name) {
  return understood_or_raised(raw, name);
}

kernels::ActivationStrides activation_strides(const at::Tensor& tensor) {
  const at::IntArrayRef strides = tensor.strides();
  if (strides.size() == 2) return {.batch = 0, .channel = strides[0], .time = strides[1]};
  return {.batch = strides[0], .channel = strides[1], .time = strides[2]};
}

kernels::Problem problem_of(const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output,
                            const at::Tensor& input, const at::Tensor& weight) {
  kernels::Problem problem = problem_of(sizes, attributes, output, input);
  problem.weight_strides = {.out_channel = weight.stride(0), .in_channel = weight.stride(1), .tap = weight.stride(2)};
  return problem;
}

kernels::Problem problem_of(const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output,
                            const at::Tensor& input) {
  return {.data_type = *data_type_of(input.scalar_type()),
          .padding_mode = attributes.padding_mode,
          .algorithm = attributes.algorithm,
          .batch = sizes.batch,
          .in_channels = sizes.in_channels,
          .input_length = sizes.input_length,
          .out_channels = sizes.out_channels,
          .kernel_size = sizes.kernel_size,
          .stride = attributes.stride,
          .padding_left = attributes.padding_left,
          .padding_right = attributes.padding_right,
          .dilation = attributes.dilation,
          .groups = attributes.groups,
          .output_length = sizes.output_length,
          .input_strides = activation_strides(input),
          .weight_strides = {},
          .output_strides = activation_strides(output)};
}

template std::optional<Sizes<int64_t>> forward_sizes(const at::Tensor&, const at::Tensor&,
                                                     const std::optional<at::Tensor>&, const Attributes&);
template std::optional<Sizes<c10::SymInt>> forward_sizes(const at::Tensor&, const at::Tensor&,
                                                         const std::optional<at::Tensor>&, const SymAttributes&);
template std::optional<Sizes<int64_t>> forward_sizes(const at::Tensor&, const std::array<int64_t, 3>&,
                                                     const std::optional<at::Tensor>&, const Attributes&);
template std::optional<Sizes<c10::SymInt>> forward_sizes(const at::Tensor&, const std::array<c10::SymInt, 3>&,
                                                         const std::optional<at::Tensor>&, const SymAttributes&);
template Sizes<int64_t> grad_input_sizes(const at::Tensor&, const at::Tensor&, const int64_t&, const Attributes&);
template Sizes<c10::SymInt> grad_input_sizes(const at::Tensor&, const at::Tensor&, const c10::SymInt&,
                                             const SymAttributes&);
template Sizes<int64_t> grad_weight_sizes(const at::Tensor&, const at::Tensor&, const int64_t&, const Attributes&);
template Sizes<c10::SymInt> grad_weight_sizes(const at::Tensor&, const at::Tensor&, const c10::SymInt&,
                                              const SymAttributes&);

}  // namespace tapconv::ops
