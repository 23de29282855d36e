#include "ops/schema/operator.h"

#include "ops/schema/unboxed.h"

namespace tapconv::ops {

at::Tensor call_conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const SymRawAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d)> op("tapconv::conv1d");
  return op(input, weight, bias, attributes);
}

at::Tensor call_conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               const WordedAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_padding)> op("tapconv::conv1d", "padding");
  return op(input, weight, bias, attributes);
}

at::Tensor& call_conv1d_out(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& attributes, at::Tensor& out) {
  static const RegisteredOperator<decltype(call_conv1d_out)> op("tapconv::conv1d", "out");
  return op(input, weight, bias, attributes, out);
}

at::Tensor call_conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, const TransposedAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv_transpose1d)> op("tapconv::conv_transpose1d");
  return op(input, weight, bias, attributes);
}

at::Tensor call_conv1d_context(const SymContextCall& call) {
  static const RegisteredOperator<decltype(call_conv1d_context)> op("tapconv::conv1d_context");
  return op(call);
}

at::Tensor call_conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight,
                                  const c10::SymInt& input_length, const SymRawAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_grad_input)> op("tapconv::conv1d_grad_input");
  return op(grad_output, weight, input_length, attributes);
}

at::Tensor call_conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input,
                                   const c10::SymInt& kernel_size, const SymRawAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_grad_weight)> op("tapconv::conv1d_grad_weight");
  return op(grad_output, input, kernel_size, attributes);
}

std::tuple<at::Tensor, at::Tensor> call_conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                                const c10::SymInt& kernel_size,
                                                                const SymRawAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_grad_weight_bias)> op("tapconv::conv1d_grad_weight_bias");
  return op(grad_output, input, kernel_size, attributes);
}

at::Tensor call_pack_weight(const at::Tensor& weight, const PackingAttributes& attributes) {
  static const RegisteredOperator<decltype(call_pack_weight)> op("tapconv::pack_weight");
  return op(weight, attributes);
}

at::Tensor call_conv1d_packed(const SymPackedCall& call) {
  static const RegisteredOperator<decltype(call_conv1d_packed)> op("tapconv::conv1d_packed");
  return op(call);
}

at::Tensor& call_conv1d_packed_out(const SymPackedCall& call, at::Tensor& out) {
  static const RegisteredOperator<decltype(call_conv1d_packed_out)> op("tapconv::conv1d_packed", "out");
  return op(call, out);
}

at::Tensor call_conv1d_packed_weight(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, const SymRawAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_packed_weight)> op("tapconv::conv1d_packed", "weight");
  return op(input, packed, weight, bias, attributes);
}

at::Tensor call_conv1d_packed_weight_padding(const at::Tensor& input, const at::Tensor& packed,
                                             const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                             const WordedAttributes& attributes) {
  static const RegisteredOperator<decltype(call_conv1d_packed_weight_padding)> op("tapconv::conv1d_packed",
                                                                                  "weight_padding");
  return op(input, packed, weight, bias, attributes);
}

at::Tensor call(const Operator& op, const at::Tensor& first, const at::Tensor& second) {
  const Spelled spelled(op.attributes);
  switch (op.result) {
    case Role::output:
      return call_conv1d(first, second, std::nullopt, spelled.raw());
    case Role::input:
      return call_conv1d_grad_input(first, second, op.input_length, spelled.raw());
    case Role::weight:
      break;
  }
  return call_conv1d_grad_weight(first, second, op.kernel_size, spelled.raw());
}

}  // namespace tapconv::ops
