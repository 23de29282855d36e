// What the operators are called and what they take.
#include <torch/library.h>

#include <regex>
#include <string>
#include <vector>

namespace tapconv::ops {

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
  define("conv1d_context",
         "(Tensor input, Tensor weight, Tensor? bias, Tensor? left, Tensor? right, SymInt[1] stride=1, "
         "SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1, *, str algorithm=\"auto\") -> Tensor");
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
  m.def("push_samples_(Tensor(a!) state, Tensor samples) -> ()", tags);
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
}

}  // namespace tapconv::ops
