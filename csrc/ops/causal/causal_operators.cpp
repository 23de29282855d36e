// What the operators are called and what they take.
#include "ops/causal/causal_operators.h"

#include <torch/library.h>

#include <vector>

#include "ops/schema/unboxed.h"

namespace tapconv::ops {

at::Tensor call_causal_conv1d(const CausalArguments& arguments) {
  static const RegisteredOperator<decltype(call_causal_conv1d)> op("tapconv::causal_conv1d");
  return op(arguments);
}

at::Tensor call_causal_conv1d_update(const UpdateArguments& arguments) {
  static const RegisteredOperator<decltype(call_causal_conv1d_update)> op("tapconv::causal_conv1d_update");
  return op(arguments);
}

at::Tensor call_causal_conv1d_varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens,
                                            const c10::SymInt& state_len) {
  static const RegisteredOperator<decltype(call_causal_conv1d_varlen_states)> op(
      "tapconv::causal_conv1d_varlen_states");
  return op(x, cu_seqlens, state_len);
}

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  m.def(
      "causal_conv1d(Tensor x, Tensor weight, Tensor? bias=None, Tensor? seq_idx=None, Tensor? initial_states=None, "
      "str? activation=None) -> Tensor",
      tags);
  m.def(
      "causal_conv1d_update(Tensor x, Tensor(a!) conv_state, Tensor weight, Tensor? bias=None, str? activation=None, "
      "Tensor? cache_seqlens=None, Tensor? conv_state_indices=None) -> Tensor",
      tags);
  m.def("causal_conv1d_varlen_states(Tensor x, Tensor cu_seqlens, SymInt state_len) -> Tensor", tags);
}

}  // namespace tapconv::ops
