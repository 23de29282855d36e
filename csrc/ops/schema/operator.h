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
#include "ops/arguments/context_call.h"
#include "ops/arguments/packed_call.h"
#include "ops/arguments/role.h"

namespace tapconv::ops {

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
                               const WordedAttributes& attributes);

// tapconv::conv1d.out
at::Tensor& call_conv1d_out(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& attributes, at::Tensor& out);

// tapconv::conv_transpose1d
at::Tensor call_conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, const TransposedAttributes& attributes);

// tapconv::conv1d_context: conv1d whose padding is samples of borders.
at::Tensor call_conv1d_context(const SymContextCall& call);

at::Tensor call_conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight,
                                  const c10::SymInt& input_length, const SymRawAttributes& attributes);

at::Tensor call_conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input,
                                   const c10::SymInt& kernel_size, const SymRawAttributes& attributes);

// tapconv::conv1d_grad_weight_bias: the gradients by weight and bias in one pass over grad_output.
std::tuple<at::Tensor, at::Tensor> call_conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                                const c10::SymInt& kernel_size,
                                                                const SymRawAttributes& attributes);

// tapconv::pack_weight
at::Tensor call_pack_weight(const at::Tensor& weight, const PackingAttributes& attributes);

// tapconv::conv1d_packed and conv1d_packed.out
at::Tensor call_conv1d_packed(const SymPackedCall& call);
at::Tensor& call_conv1d_packed_out(const SymPackedCall& call, at::Tensor& out);

// tapconv::conv1d_packed.weight and conv1d_packed.weight_padding: conv1d, by the packed weight where it serves.
at::Tensor call_conv1d_packed_weight(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, const SymRawAttributes& attributes);
at::Tensor call_conv1d_packed_weight_padding(const at::Tensor& input, const at::Tensor& packed,
                                             const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                             const WordedAttributes& attributes);

// The overloads that torch.ops finds for bare ints: see schema.cpp.
inline constexpr std::array<const char*, 10> operators_for_plain_numbers = {
    "conv1d.ints",           "conv1d.padding_ints",    "conv1d.out_ints",         "conv1d_context.ints",
    "conv_transpose1d.ints", "conv1d_grad_input.ints", "conv1d_grad_weight.ints", "conv1d_grad_weight_bias.ints",
    "conv1d_packed.ints",    "conv1d_packed.out_ints",
};

}  // namespace tapconv::ops
