// What the operators are called and what they take; typed calls of them; and what the library says about itself.
#include <ATen/core/dispatch/Dispatcher.h>
#include <tapconv/default_algorithm.h>
#include <tapconv/version.h>
#include <torch/library.h>

#include <regex>
#include <string>
#include <vector>

#include "kernels/core/instruction_set.h"
#include "ops/schema/operator.h"

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

using Conv1d = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, c10::SymIntArrayRef,
                          c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymInt, std::string_view, std::string_view);
using Conv1dPadding = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                 c10::SymIntArrayRef, std::string_view, c10::SymIntArrayRef, c10::SymInt,
                                 std::string_view, std::string_view);
using Conv1dOut = at::Tensor&(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                              c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymInt,
                              std::string_view, std::string_view, at::Tensor&);
using ConvTranspose1d = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                   c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymInt,
                                   c10::SymIntArrayRef);
using GradientPair = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, c10::SymInt,
                                                        c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymIntArrayRef,
                                                        c10::SymInt, std::string_view, std::string_view);
using Gradient = at::Tensor(const at::Tensor&, const at::Tensor&, c10::SymInt, c10::SymIntArrayRef, c10::SymIntArrayRef,
                            c10::SymIntArrayRef, c10::SymInt, std::string_view, std::string_view);
using PackWeight = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, int64_t, std::optional<int64_t>,
                              int64_t, std::string_view);
using Conv1dPacked = at::Tensor(const at::Tensor&, const at::Tensor&, c10::SymIntArrayRef,
                                const std::optional<at::Tensor>&, c10::SymIntArrayRef, c10::SymIntArrayRef,
                                c10::SymIntArrayRef, c10::SymInt, std::string_view);
using Conv1dPackedOut = at::Tensor&(const at::Tensor&, const at::Tensor&, c10::SymIntArrayRef,
                                    const std::optional<at::Tensor>&, c10::SymIntArrayRef, c10::SymIntArrayRef,
                                    c10::SymIntArrayRef, c10::SymInt, std::string_view, at::Tensor&);
using Conv1dPackedWeight = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                      const std::optional<at::Tensor>&, c10::SymIntArrayRef, c10::SymIntArrayRef,
                                      c10::SymIntArrayRef, c10::SymInt, std::string_view, std::string_view);
using Conv1dPackedWeightPadding = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                             const std::optional<at::Tensor>&, c10::SymIntArrayRef, std::string_view,
                                             c10::SymIntArrayRef, c10::SymInt, std::string_view, std::string_view);

template <typename Signature>
c10::TypedOperatorHandle<Signature> find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace

at::Tensor call_conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const SymRawAttributes& a) {
  static const auto op = find<Conv1d>("tapconv::conv1d");
  return op.call(input, weight, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, a.algorithm);
}

at::Tensor call_conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               c10::SymIntArrayRef stride, std::string_view padding, c10::SymIntArrayRef dilation,
                               const c10::SymInt& groups, std::string_view padding_mode, std::string_view algorithm) {
  static const auto op = find<Conv1dPadding>("tapconv::conv1d", "padding");
  return op.call(input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm);
}

at::Tensor& call_conv1d_out(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& a, at::Tensor& out) {
  static const auto op = find<Conv1dOut>("tapconv::conv1d", "out");
  return op.call(input, weight, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, a.algorithm, out);
}

at::Tensor call_conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, c10::SymIntArrayRef stride,
                                 c10::SymIntArrayRef padding, c10::SymIntArrayRef output_padding,
                                 const c10::SymInt& groups, c10::SymIntArrayRef dilation) {
  static const auto op = find<ConvTranspose1d>("tapconv::conv_transpose1d");
  return op.call(input, weight, bias, stride, padding, output_padding, groups, dilation);
}

at::Tensor call_conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight,
                                  const c10::SymInt& input_length, const SymRawAttributes& a) {
  static const auto op = find<Gradient>("tapconv::conv1d_grad_input");
  return op.call(grad_output, weight, input_length, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

at::Tensor call_conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input,
                                   const c10::SymInt& kernel_size, const SymRawAttributes& a) {
  static const auto op = find<Gradient>("tapconv::conv1d_grad_weight");
  return op.call(grad_output, input, kernel_size, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

std::tuple<at::Tensor, at::Tensor> call_conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                                const c10::SymInt& kernel_size,
                                                                const SymRawAttributes& a) {
  static const auto op = find<GradientPair>("tapconv::conv1d_grad_weight_bias");
  return op.call(grad_output, input, kernel_size, a.stride, a.padding, a.dilation, a.groups, a.padding_mode,
                 a.algorithm);
}

at::Tensor call_pack_weight(const at::Tensor& weight, at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                            std::optional<int64_t> input_length, int64_t batch, std::string_view algorithm) {
  static const auto op = find<PackWeight>("tapconv::pack_weight");
  return op.call(weight, stride, dilation, groups, input_length, batch, algorithm);
}

at::Tensor call_conv1d_packed(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                              const std::optional<at::Tensor>& bias, const SymRawAttributes& a) {
  static const auto op = find<Conv1dPacked>("tapconv::conv1d_packed");
  return op.call(input, packed, weight_shape, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode);
}

at::Tensor& call_conv1d_packed_out(const at::Tensor& input, const at::Tensor& packed, c10::SymIntArrayRef weight_shape,
                                   const std::optional<at::Tensor>& bias, const SymRawAttributes& a, at::Tensor& out) {
  static const auto op = find<Conv1dPackedOut>("tapconv::conv1d_packed", "out");
  return op.call(input, packed, weight_shape, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, out);
}

at::Tensor call_conv1d_packed_weight(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, const SymRawAttributes& a) {
  static const auto op = find<Conv1dPackedWeight>("tapconv::conv1d_packed", "weight");
  return op.call(input, packed, weight, bias, a.stride, a.padding, a.dilation, a.groups, a.padding_mode, a.algorithm);
}

at::Tensor call_conv1d_packed_weight_padding(const at::Tensor& input, const at::Tensor& packed,
                                             const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                             c10::SymIntArrayRef stride, std::string_view padding,
                                             c10::SymIntArrayRef dilation, const c10::SymInt& groups,
                                             std::string_view padding_mode, std::string_view algorithm) {
  static const auto op = find<Conv1dPackedWeightPadding>("tapconv::conv1d_packed", "weight_padding");
  return op.call(input, packed, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm);
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

TORCH_LIBRARY(tapconv, m) {
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  // Numbers may be symbolic, so that a traced program can compute them. Where a schema says so, torch.ops takes a list
  // and never a bare int; where it says int[1], it takes that too, but of symbolic numbers only what they happen to be.
  // Hence a second overload of each, which torch.ops tries after the first. TorchScript's registry tells overloads
  // apart by their types, for which SymInt and int are one: so `groups` is optional there, and refused if it is None.
  const auto define = [&](const std::string& name, const std::string& rest) {
    m.def((name + rest).c_str(), tags);
    const std::string optional = std::regex_replace(rest, std::regex("SymInt groups"), "int? groups");
    const std::string with_ints = name + (name.find('.') == std::string::npos ? ".ints" : "_ints");
    m.def((with_ints + std::regex_replace(optional, std::regex("SymInt"), "int")).c_str(), tags);
  };
  define("conv1d",
         "(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor");
  define("conv1d.padding",
         "(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, str padding=\"valid\", "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor");
  define("conv1d.out",
         "(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\", "
         "Tensor(a!) out) -> Tensor(a!)");
  define("conv_transpose1d",
         "(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] output_padding=0, SymInt groups=1, SymInt[1] dilation=1) -> Tensor");
  define("conv1d_grad_input",
         "(Tensor grad_output, Tensor weight, SymInt input_length, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor");
  define("conv1d_grad_weight",
         "(Tensor grad_output, Tensor input, SymInt kernel_size, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor");
  define("conv1d_grad_weight_bias",
         "(Tensor grad_output, Tensor input, SymInt kernel_size, SymInt[1] stride=1, SymInt[1] padding=0, "
         "SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", str algorithm=\"auto\") -> "
         "(Tensor, Tensor)");
  // What is packed depends on the numbers' values.
  m.def(
      "pack_weight(Tensor weight, *, int[1] stride=1, int[1] dilation=1, int groups=1, int? input_length=None, "
      "int batch=1, str algorithm=\"auto\") -> Tensor",
      tags);
  define("conv1d_packed",
         "(Tensor input, Tensor packed, SymInt[] weight_shape, Tensor? bias=None, SymInt[1] stride=1, "
         "SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\") -> Tensor");
  define("conv1d_packed.out",
         "(Tensor input, Tensor packed, SymInt[] weight_shape, Tensor? bias=None, SymInt[1] stride=1, "
         "SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", "
         "Tensor(a!) out) -> Tensor(a!)");
  // For modules, which have the plain weight too.
  m.def(
      "conv1d_packed.weight(Tensor input, Tensor packed, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, "
      "SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1, *, str padding_mode=\"zeros\", "
      "str algorithm=\"auto\") -> Tensor",
      tags);
  m.def(
      "conv1d_packed.weight_padding(Tensor input, Tensor packed, Tensor weight, Tensor? bias=None, "
      "SymInt[1] stride=1, str padding=\"valid\", SymInt[1] dilation=1, SymInt groups=1, *, "
      "str padding_mode=\"zeros\", str algorithm=\"auto\") -> Tensor",
      tags);
  m.def("is_packed_from(Tensor packed, Tensor weight, int[1] stride=1, int[1] dilation=1, int groups=1) -> bool");

  m.def("isa() -> str", &isa);
  m.def("isa_available() -> str[]", &isa_available);
  m.def("isa_compiled() -> str[]", &isa_compiled);
  m.def("get_default_algorithm() -> str", &default_algorithm_name);
  m.def("set_default_algorithm(str algorithm) -> str", &exchange_default_algorithm_name);
  m.def("version() -> str", &version);
}

}  // namespace tapconv::ops
