#include <tapconv/functional.h>

#include <variant>

#include "ops/schema/operator.h"

namespace tapconv {
namespace {

std::string_view name_of(Padding padding) {
  switch (padding) {
    case Padding::valid:
      return "valid";
    case Padding::same:
      return "same";
    case Padding::causal:
      break;
  }
  return "causal";
}

using ops::symbolic;

}  // namespace

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight,
                  const torch::nn::functional::Conv1dFuncOptions& options) {
  const at::IntArrayRef stride = *options.stride();
  const at::IntArrayRef dilation = *options.dilation();
  if (const auto* numbers = std::get_if<torch::ExpandingArray<1>>(&options.padding())) {
    return tapconv::conv1d(input, weight, options.bias(), stride, at::IntArrayRef(**numbers), dilation,
                           options.groups());
  }
  const bool same = std::holds_alternative<torch::enumtype::kSame>(options.padding());
  return tapconv::conv1d(input, weight, options.bias(), stride, same ? Padding::same : Padding::valid, dilation,
                         options.groups());
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                  std::string_view padding_mode, std::string_view algorithm) {
  return ops::call_conv1d(input, weight, bias, symbolic({stride, padding, dilation, groups, padding_mode, algorithm}));
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  at::IntArrayRef stride, Padding padding, at::IntArrayRef dilation, int64_t groups,
                  std::string_view padding_mode, std::string_view algorithm) {
  return ops::call_conv1d_padding(
      input, weight, bias, {symbolic(stride), name_of(padding), symbolic(dilation), groups, padding_mode, algorithm});
}

at::Tensor& conv1d_out(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                       at::IntArrayRef dilation, int64_t groups, std::string_view padding_mode,
                       std::string_view algorithm) {
  return ops::call_conv1d_out(input, weight, bias,
                              symbolic({stride, padding, dilation, groups, padding_mode, algorithm}), out);
}

at::Tensor conv1d_context(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                          const std::optional<at::Tensor>& left, const std::optional<at::Tensor>& right,
                          at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                          std::string_view algorithm) {
  return ops::call_conv1d_context(
      {input, weight, bias, left, right, symbolic({stride, padding, dilation, groups, "zeros", algorithm})});
}

at::Tensor pack_weight(const at::Tensor& weight, const PackingOptions& options) {
  return ops::call_pack_weight(weight, {options.stride, options.dilation, options.groups, options.input_length,
                                        options.batch, options.algorithm});
}

at::Tensor conv1d_packed(const at::Tensor& input, const at::Tensor& packed, at::IntArrayRef weight_shape,
                         const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                         at::IntArrayRef dilation, int64_t groups, std::string_view padding_mode) {
  return ops::call_conv1d_packed({input, packed, symbolic(weight_shape), bias,
                                  symbolic({stride, padding, dilation, groups, padding_mode, "auto"})});
}

at::Tensor& conv1d_packed_out(at::Tensor& out, const at::Tensor& input, const at::Tensor& packed,
                              at::IntArrayRef weight_shape, const std::optional<at::Tensor>& bias,
                              at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                              std::string_view padding_mode) {
  return ops::call_conv1d_packed_out({input, packed, symbolic(weight_shape), bias,
                                      symbolic({stride, padding, dilation, groups, padding_mode, "auto"})},
                                     out);
}

at::Tensor conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                            const torch::nn::functional::ConvTranspose1dFuncOptions& options) {
  return ops::call_conv_transpose1d(
      input, weight, options.bias(),
      {symbolic(*options.stride()), symbolic(*options.padding()), symbolic(*options.output_padding()), options.groups(),
       symbolic(*options.dilation())});
}

}  // namespace tapconv
