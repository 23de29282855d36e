// The operators as C++ functions that go through the dispatcher, as any caller's would.
//
// A convolution y = F(x, w) is linear in x and in w. With its two gradients, gx = X(gy, w) and gw = W(gy, x), it forms
// a closed family: each takes two of the three roles output, input and weight and computes the third, and the
// derivative of any of them by an argument is another of them. One derivative rule, one tangent rule and one fold for
// vmap therefore serve all three; they speak of roles.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <array>
#include <optional>
#include <tuple>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

enum class Role : uint8_t { output, input, weight };

// The roles of an operator's two tensor arguments, in the order of its schema.
constexpr std::array<Role, 2> arguments_of(Role result) {
  switch (result) {
    case Role::output:
      return {Role::input, Role::weight};
    case Role::input:
      return {Role::output, Role::weight};
    case Role::weight:
      break;
  }
  return {Role::output, Role::input};
}

// One of the three operators, and all that its result depends on beside its tensors. The two lengths are what cannot be
// seen from the output: conv1d_grad_input is told the one, conv1d_grad_weight the other.
struct Operator {
  Role result;
  c10::SymInt input_length;
  c10::SymInt kernel_size;
  SymAttributes attributes;

  Operator computing(Role other) const { return {other, input_length, kernel_size, attributes}; }
};

// Calls it: `first` and `second` play the roles arguments_of(result).
at::Tensor call(const Operator& op, const at::Tensor& first, const at::Tensor& second);

// tapconv::conv1d, with its bias.
at::Tensor call_conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const SymRawAttributes& attributes);

// tapconv::conv1d.padding: "valid", "same" or "causal".
at::Tensor call_conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               c10::SymIntArrayRef stride, std::string_view padding, c10::SymIntArrayRef dilation,
                               const c10::SymInt& groups, std::string_view padding_mode, std::string_view algorithm);

// tapconv::conv1d.out
at::Tensor& call_conv1d_out(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& attributes, at::Tensor& out);

// tapconv::conv_transpose1d
at::Tensor call_conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride,
                                 c10::SymIntArrayRef padding, c10::SymIntArrayRef output_padding,
                                 const c10::SymInt& groups, c10::SymIntArrayRef dilation);

at::Tensor call_conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight,
                                  const c10::SymInt& input_length, const SymRawAttributes& attributes);

at::Tensor call_conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input,
                                   const c10::SymInt& kernel_size, const SymRawAttributes& attributes);

// tapconv::conv1d_grad_weight_bias: the gradients by weight and bias in one pass over grad_output.
std::tuple<at::Tensor, at::Tensor> call_conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                                const c10::SymInt& kernel_size,
                                                                const SymRawAttributes& attributes);

// tapconv::pack_weight
at::Tensor call_pack_weight(const at::Tensor& weight, at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                            std::optional<int64_t> input_length, int64_t batch, std::string_view algorithm);

// tapconv::conv1d_packed and conv1d_packed.out. The attributes' algorithm does not count: it was chosen when packing.
at::Tensor call_conv1d_packed(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                              const std::optional<at::Tensor>& bias, const SymRawAttributes& attributes);
at::Tensor& call_conv1d_packed_out(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                                   const std::optional<at::Tensor>& bias, const SymRawAttributes& attributes,
                                   at::Tensor& out);

// tapconv::conv1d_packed.weight and conv1d_packed.weight_padding: conv1d, by the packed weight where it serves.
at::Tensor call_conv1d_packed_weight(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, const SymRawAttributes& attributes);
at::Tensor call_conv1d_packed_weight_padding(const at::Tensor& input, const at::Tensor& packed,
                                             const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                             c10::SymIntArrayRef stride, std::string_view padding,
                                             c10::SymIntArrayRef dilation, const c10::SymInt& groups,
                                             std::string_view padding_mode, std::string_view algorithm);

// The overloads that torch.ops finds for bare ints: see schema.cpp.
inline constexpr std::array<const char*, 9> operators_for_plain_numbers = {
    "conv1d.ints",
    "conv1d.padding_ints",
    "conv1d.out_ints",
    "conv_transpose1d.ints",
    "conv1d_grad_input.ints",
    "conv1d_grad_weight.ints",
    "conv1d_grad_weight_bias.ints",
    "conv1d_packed.ints",
    "conv1d_packed.out_ints",
};

}  // namespace tapconv::ops
