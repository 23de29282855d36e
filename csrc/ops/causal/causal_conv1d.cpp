// tapconv::causal_conv1d: causal_conv1d_fn of the package causal-conv1d (Dao-AILab, 1.6) without its final states,
// which are samples of its arguments.
#include <ATen/functorch/DynamicLayer.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "ops/arguments/memory.h"
#include "ops/causal/causal_composed.h"
#include "ops/causal/causal_launch.h"
#include "ops/causal/causal_operators.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

using MaybeTensor = std::optional<at::Tensor>;
using MaybeName = std::optional<std::string_view>;

// Longer filters are for the convolution's own ways, such as transforms.
constexpr int64_t max_width_of_plain_sums = 32;

at::Tensor on_cpu(const CausalArguments& a) {
  check(a);
  if (a.weight.size(1) > max_width_of_plain_sums && !is_given(a.seq_idx)) return causal_composed(a);
  if (are_of_two_widths(a.x, a.weight)) {
    const MaybeTensor bias = as_double(a.bias);
    const MaybeTensor states = as_double(a.initial_states);
    const at::Tensor x = a.x.to(at::kDouble), weight = a.weight.to(at::kDouble);
    return on_cpu({x, weight, bias, a.seq_idx, states, a.activation}).to(a.x.scalar_type());
  }
  const at::Tensor output = allocated_output(a.x);
  if (output.numel() == 0) return output;
  require_memory(a.x, "x");
  require_memory(a.weight, "weight");
  if (is_given(a.bias)) require_memory(*a.bias, "bias");
  if (is_given(a.seq_idx)) require_memory(*a.seq_idx, "seq_idx");
  if (is_given(a.initial_states)) require_memory(*a.initial_states, "initial_states");

  const at::Tensor input = side_by_side(a.x);
  const at::Tensor state = a.initial_states.value_or(at::Tensor());
  const at::Tensor bias = dense(a.bias);
  const at::Tensor sequences = dense(a.seq_idx);
  kernels::CausalCall call = causal_call(input, a.weight, state, output);
  call.silu = is_silu(a.activation);
  launch_causal(call, {.input = input.const_data_ptr(),
                       .weight = a.weight.const_data_ptr(),
                       .bias = data_of(bias),
                       .output = output.mutable_data_ptr(),
                       .state = const_cast<void*>(data_of(state)),  // read only: the call does not update it
                       .sequences = static_cast<const int32_t*>(data_of(sequences)),
                       .cache_lengths = nullptr,
                       .state_indices = nullptr,
                       .workspace = nullptr});
  return output;
}

at::Tensor elsewhere(const CausalArguments& a) {
  check(a);
  return causal_composed(a);
}

at::Tensor meta(const CausalArguments& a) {
  check(a);
  return empty_output(a.x);
}

class CausalConv1d : public torch::autograd::Function<CausalConv1d> {
 public:
  // What it computes with is saved; numbers and words are part of the node.
  static constexpr bool is_traceable = true;

  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const MaybeTensor& bias, const MaybeTensor& seq_idx, const MaybeTensor& initial_states,
                            bool silu) {
    const auto or_undefined = [](const MaybeTensor& tensor) { return tensor.value_or(at::Tensor()); };
    context->save_for_backward({x, weight, or_undefined(bias), or_undefined(seq_idx), or_undefined(initial_states)});
    context->saved_data["silu"] = silu;
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return call_causal_conv1d({x, weight, bias, seq_idx, initial_states, silu ? MaybeName("silu") : std::nullopt});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto given = [&](size_t i) { return saved[i].defined() ? MaybeTensor(saved[i]) : std::nullopt; };
    const MaybeTensor bias = given(2), seq_idx = given(3), initial_states = given(4);
    const MaybeName activation = context->saved_data["silu"].toBool() ? MaybeName("silu") : std::nullopt;
    const CausalGradients all = causal_gradients({saved[0], saved[1], bias, seq_idx, initial_states, activation},
                                                 grads[0], bias.has_value(), initial_states.has_value());
    return {all.x, all.weight, all.bias, at::Tensor(), all.initial_states, at::Tensor()};
  }
};

at::Tensor autograd(const CausalArguments& a) {
  const auto has_tangent = [](const MaybeTensor& tensor) {
    return is_given(tensor) && torch::autograd::isFwGradDefined(*tensor);
  };
  // torch.func's transforms take no function of this kind, and have rules for the operators that it is made of.
  if (at::functorch::maybeCurrentDynamicLayer() || has_tangent(a.x) || has_tangent(a.weight) || has_tangent(a.bias) ||
      has_tangent(a.initial_states)) {
    check(a);
    return causal_composed(a);
  }
  if (torch::autograd::compute_requires_grad(a.x, a.weight, a.bias, a.initial_states)) {
    check(a);
    return CausalConv1d::apply(a.x, a.weight, a.bias, a.seq_idx, a.initial_states, is_silu(a.activation));
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_causal_conv1d(a);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("causal_conv1d", unboxed<&on_cpu>); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("causal_conv1d", unboxed<&meta>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("causal_conv1d", unboxed<&autograd>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("causal_conv1d", unboxed<&elsewhere>); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) { m.impl("causal_conv1d", unboxed<&elsewhere>); }

}  // namespace tapconv::ops
