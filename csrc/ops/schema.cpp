// What the operators are called and what they take; typed calls of them; and what the library says about itself.
#include <ATen/core/dispatch/Dispatcher.h>
#include <tapconv/default_algorithm.h>
#include <tapconv/version.h>
#include <torch/library.h>

#include <string>
#include <vector>

#include "kernels/instruction_set.h"
#include "ops/operator.h"

namespace tapconv::ops {
namespace {

std::string isa() { return kernels::current_instruction_set().name; }

std::vector<std::string> isa_compiled() {
  std::vector<std::string> names;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) names.emplace_back(set.name);
  return names;
}

std::vector<std::string> isa_available() {
  std::vector<std::string> names;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    if (set.available()) names.emplace_back(set.name);
  }
  return names;
}

std::string default_algorithm_name() { return std::string(get_default_algorithm()); }
std::string exchange_default_algorithm_name(std::string_view algorithm) {
  return std::string(set_default_algorithm(algorithm));
}

std::string version() { return TAPCONV_VERSION; }

using Conv1d = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef,
                          at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view, std::string_view);
using Conv1dPadding = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                 at::IntArrayRef, std::string_view, at::IntArrayRef, int64_t, std::string_view,
                                 std::string_view);
using Conv1dOut = at::Tensor&(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef,
                              at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view, std::string_view,
                              at::Tensor&);
using ConvTranspose1d = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                   at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, at::IntArrayRef);
using GradientPair = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, c10::SymInt,
                                                        at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t,
                                                        std::string_view, std::string_view);
using Gradient = at::Tensor(const at::Tensor&, const at::Tensor&, c10::SymInt, at::IntArrayRef, at::IntArrayRef,
                            at::IntArrayRef, int64_t, std::string_view, std::string_view);
using PackWeight = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, int64_t, std::optional<int64_t>,
                              int64_t, std::string_view);
using Conv1dPacked = at::Tensor(const at::Tensor&, const at::Tensor&, at::IntArrayRef, const std::optional<at::Tensor>&,
                                at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view);
using Conv1dPackedOut = at::Tensor&(const at::Tensor&, const at::Tensor&, at::IntArrayRef,
                                    const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef,
                                    int64_t, std::string_view, at::Tensor&);

template <typename Signature>
c10::TypedOperatorHandle<Signature> find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace

at::Tensor call_conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const RawAttributes& a) {
  static const auto op = find<Conv1d>("tapconv::conv1d");
  return op.call(input, weight, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, a.algorithm);
}

at::Tensor call_conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, std::string_view padding, at::IntArrayRef dilation,
                               int64_t groups, std::string_view padding_mode, std::string_view algorithm) {
  static const auto op = find<Conv1dPadding>("tapconv::conv1d", "padding");
  return op.call(input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm);
}

at::Tensor& call_conv1d_out(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const RawAttributes& a, at::Tensor& out) {
  static const auto op = find<Conv1dOut>("tapconv::conv1d", "out");
  return op.call(input, weight, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, a.algorithm, out);
}

at::Tensor call_conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                                 at::IntArrayRef output_padding, int64_t groups, at::IntArrayRef dilation) {
  static const auto op = find<ConvTranspose1d>("tapconv::conv_transpose1d");
  return op.call(input, weight, bias, stride, padding, output_padding, groups, dilation);
}

at::Tensor call_conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight,
                                  const c10::SymInt& input_length, const RawAttributes& a) {
  static const auto op = find<Gradient>("tapconv::conv1d_grad_input");
  return op.call(grad_output, weight, input_length, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

at::Tensor call_conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input,
                                   const c10::SymInt& kernel_size, const RawAttributes& a) {
  static const auto op = find<Gradient>("tapconv::conv1d_grad_weight");
  return op.call(grad_output, input, kernel_size, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

std::tuple<at::Tensor, at::Tensor> call_conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                                const c10::SymInt& kernel_size,
                                                                const RawAttributes& a) {
  static const auto op = find<GradientPair>("tapconv::conv1d_grad_weight_bias");
  return op.call(grad_output, input, kernel_size, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

at::Tensor call_pack_weight(const at::Tensor& weight, at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                            std::optional<int64_t> input_length, int64_t batch, std::string_view algorithm) {
  static const auto op = find<PackWeight>("tapconv::pack_weight");
  return op.call(weight, stride, dilation, groups, input_length, batch, algorithm);
}

at::Tensor call_conv1d_packed(const at::Tensor& input, const at::Tensor& packed, at::IntArrayRef weight_shape,
                              const std::optional<at::Tensor>& bias, const RawAttributes& a) {
  static const auto op = find<Conv1dPacked>("tapconv::conv1d_packed");
  return op.call(input, packed, weight_shape, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode);
}

at::Tensor& call_conv1d_packed_out(const at::Tensor& input, const at::Tensor& packed, at::IntArrayRef weight_shape,
                                   const std::optional<at::Tensor>& bias, const RawAttributes& a, at::Tensor& out) {
  static const auto op = find<Conv1dPackedOut>("tapconv::conv1d_packed", "out");
  return op.call(input, packed, weight_shape, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, out);
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

// `int[1]` and not `SymInt[1]` for stride, padding and dilation: with the latter, torch.ops rejects a bare `padding=1`.
TORCH_LIBRARY(tapconv, m) {
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  m.def(
      "conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, "
      "int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding=\"valid\", "
      "int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d.out(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
      "int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\", Tensor(a!) out) -> "
      "Tensor(a!)",
      tags);
  m.def(
      "conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
      "int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor",
      tags);
  m.def(
      "conv1d_grad_input(Tensor grad_output, Tensor weight, SymInt input_length, int[1] stride=1, int[1] padding=0, "
      "int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d_grad_weight(Tensor grad_output, Tensor input, SymInt kernel_size, int[1] stride=1, int[1] padding=0, "
      "int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d_grad_weight_bias(Tensor grad_output, Tensor input, SymInt kernel_size, int[1] stride=1, "
      "int[1] padding=0, int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> "
      "(Tensor, Tensor)",
      tags);
  m.def(
      "pack_weight(Tensor weight, *, int[1] stride=1, int[1] dilation=1, int groups=1, int? input_length=None, "
      "int batch=1, str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d_packed(Tensor input, Tensor packed, int[] weight_shape, Tensor? bias=None, int[1] stride=1, "
      "int[1] padding=0, int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\") -> Tensor",
      tags);
  m.def(
      "conv1d_packed.out(Tensor input, Tensor packed, int[] weight_shape, Tensor? bias=None, int[1] stride=1, "
      "int[1] padding=0, int[1] dilation=1, int groups=1, *, str padding_mode=\"zeros\", Tensor(a!) out) -> Tensor(a!)",
      tags);

  m.def("isa() -> str", &isa);
  m.def("isa_available() -> str[]", &isa_available);
  m.def("isa_compiled() -> str[]", &isa_compiled);
  m.def("get_default_algorithm() -> str", &default_algorithm_name);
  m.def("set_default_algorithm(str algorithm) -> str", &exchange_default_algorithm_name);
  m.def("version() -> str", &version);
}

}  // namespace tapconv::ops
