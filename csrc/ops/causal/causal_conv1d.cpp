// tapconv::causal_conv1d: causal_conv1d_fn of the package causal-conv1d (Dao-AILab, 1.6) without its final states,
// which are samples of its arguments.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/functorch/DynamicLayer.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "kernels/causal/causal.h"
#include "ops/arguments/memory.h"
#include "ops/causal/causal_composed.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

using MaybeTensor = std::optional<at::Tensor>;
using MaybeName = std::optional<std::string_view>;

// Longer filters are for the convolution's own ways, such as transforms.
constexpr int64_t max_width_of_plain_sums = 32;

at::Tensor call(const CausalArguments& a) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("tapconv::causal_conv1d", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const MaybeTensor&,
                                               const MaybeTensor&, const MaybeTensor&, MaybeName)>();
  return op.call(a.x, a.weight, a.bias, a.seq_idx, a.initial_states, a.activation);
}

at::Tensor on_cpu(const at::Tensor& x, const at::Tensor& weight, const MaybeTensor& bias, const MaybeTensor& seq_idx,
                  const MaybeTensor& initial_states, MaybeName activation) {
  const CausalArguments arguments{x, weight, bias, seq_idx, initial_states, activation};
  check(arguments);
  if (weight.size(1) > max_width_of_plain_sums && !is_given(seq_idx)) return causal_composed(arguments);
  if ((x.scalar_type() == at::kDouble) != (weight.scalar_type() == at::kDouble)) {
    const auto wide = [](const MaybeTensor& tensor) {
      return is_given(tensor) ? MaybeTensor(tensor->to(at::kDouble)) : std::nullopt;
    };
    return on_cpu(x.to(at::kDouble), weight.to(at::kDouble), wide(bias), seq_idx, wide(initial_states), activation)
        .to(x.scalar_type());
  }
  const at::Tensor output = allocated_output(x);
  if (output.numel() == 0) return output;
  for (const auto& [tensor, name] : {std::pair(x, "x"), std::pair(weight, "weight")}) require_memory(tensor, name);
  if (is_given(initial_states)) require_memory(*initial_states, "initial_states");
  if (is_given(seq_idx)) require_memory(*seq_idx, "seq_idx");
  if (is_given(bias)) require_memory(*bias, "bias");

  const at::Tensor input = side_by_side(x);
  const at::Tensor state = is_given(initial_states) ? *initial_states : at::Tensor();
  const at::Tensor dense_bias = is_given(bias) ? bias->contiguous() : at::Tensor();
  const at::Tensor sequences = is_given(seq_idx) ? seq_idx->contiguous() : at::Tensor();
  kernels::CausalCall call = causal_call(input, weight, state, output);
  call.silu = is_silu(activation);
  const kernels::CausalPlan plan = kernels::plan_causal(call, runtime::slots_for(call));
  const at::Tensor workspace = runtime::allocate({static_cast<int64_t>(plan.workspace_bytes)}, at::kByte);
  const auto data_of = [](const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; };
  kernels::causal(plan,
                  {.input = data_of(input),
                   .weight = data_of(weight),
                   .bias = data_of(dense_bias),
                   .output = output.mutable_data_ptr(),
                   .state = const_cast<void*>(data_of(state)),  // read only: the call does not update it
                   .sequences = static_cast<const int32_t*>(data_of(sequences)),
                   .cache_lengths = nullptr,
                   .state_indices = nullptr,
                   .workspace = workspace.mutable_data_ptr()},
                  kernels::current_instruction_set(), runtime::parallel(plan.slots));
  return output;
}

at::Tensor elsewhere(const at::Tensor& x, const at::Tensor& weight, const MaybeTensor& bias, const MaybeTensor& seq_idx,
                     const MaybeTensor& initial_states, MaybeName activation) {
  const CausalArguments arguments{x, weight, bias, seq_idx, initial_states, activation};
  check(arguments);
  return causal_composed(arguments);
}

at::Tensor meta(const at::Tensor& x, const at::Tensor& weight, const MaybeTensor& bias, const MaybeTensor& seq_idx,
                const MaybeTensor& initial_states, MaybeName activation) {
  check(CausalArguments{x, weight, bias, seq_idx, initial_states, activation});
  return empty_output(x);
}

class CausalConv1d : public torch::autograd::Function<CausalConv1d> {
 public:
  // What it computes with is saved; numbers and words are part of the node.
  static constexpr bool is_traceable = true;

  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const MaybeTensor& bias, const MaybeTensor& seq_idx, const MaybeTensor& initial_states,
                            bool silu) {
    const auto or_undefined = [](const MaybeTensor& tensor) { return tensor.value_or(at::Tensor()); };
    context->save_for_backward(
        {x, weight, or_undefined(bias), or_undefined(seq_idx), or_undefined(initial_states)});
    context->saved_data["silu"] = silu;
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return call({x, weight, bias, seq_idx, initial_states, silu ? MaybeName("silu") : std::nullopt});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto given = [&](size_t i) { return saved[i].defined() ? MaybeTensor(saved[i]) : std::nullopt; };
    const MaybeTensor bias = given(2), seq_idx = given(3), initial_states = given(4);
    const MaybeName activation = context->saved_data["silu"].toBool() ? MaybeName("silu") : std::nullopt;
    const CausalGradients all =
        causal_gradients({saved[0], saved[1], bias, seq_idx, initial_states, activation}, grads[0],
                         bias.has_value(), initial_states.has_value());
    return {all.x, all.weight, all.bias, at::Tensor(), all.initial_states, at::Tensor()};
  }
};

at::Tensor autograd(const at::Tensor& x, const at::Tensor& weight, const MaybeTensor& bias, const MaybeTensor& seq_idx,
                    const MaybeTensor& initial_states, MaybeName activation) {
  const CausalArguments arguments{x, weight, bias, seq_idx, initial_states, activation};
  const auto has_tangent = [](const MaybeTensor& tensor) {
    return is_given(tensor) && torch::autograd::isFwGradDefined(*tensor);
  };
  // torch.func's transforms take no function of this kind, and have rules for the operators that it is made of.
  if (at::functorch::maybeCurrentDynamicLayer() || has_tangent(x) || has_tangent(weight) || has_tangent(bias) ||
      has_tangent(initial_states)) {
    check(arguments);
    return causal_composed(arguments);
  }
  if (torch::autograd::compute_requires_grad(x, weight, bias, initial_states)) {
    check(arguments);
    return CausalConv1d::apply(x, weight, bias, seq_idx, initial_states, is_silu(activation));
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call(arguments);
}

// (batch, channels, state_len): the last samples of each of the sequences that x (total, channels) holds one after the
// other, with zeros ahead of the shorter ones.
at::Tensor varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens, c10::SymInt state_len) {
  const char* const function = "causal_conv1d_varlen_states";
  TORCH_CHECK_VALUE(x.dim() == 2, function, ": expected x of shape (total, channels), but got ", x.sym_sizes());
  TORCH_CHECK_VALUE(cu_seqlens.dim() == 1 && cu_seqlens.sym_size(0) >= 1, function,
                    ": expected cu_seqlens of shape (batch + 1), but got ", cu_seqlens.sym_sizes());
  TORCH_CHECK_TYPE(at::isIntegralType(cu_seqlens.scalar_type(), /*includeBool=*/false), function,
                   ": expected cu_seqlens of integers, but got ", cu_seqlens.scalar_type());
  TORCH_CHECK_VALUE(state_len >= 0, function, ": expected state_len of at least 0, but got ", state_len);
  const c10::SymInt batch = cu_seqlens.sym_size(0) - 1;
  const at::Tensor bounds = cu_seqlens.to(at::kLong);
  const at::Tensor begins = bounds.slice_symint(0, 0, batch).unsqueeze(1);
  const at::Tensor ends = bounds.slice_symint(0, 1).unsqueeze(1);
  const at::Tensor places =
      ends - at::arange(state_len, bounds.options()).add(1).flip(0).unsqueeze(0);  // (batch, state_len)
  // A place before the first sample reads a zero put there.
  const at::Tensor padded = at::constant_pad_nd_symint(x, {0, 0, 1, 0}, 0);
  const at::Tensor rows = at::where(places.ge(begins), places + 1, at::zeros({}, bounds.options()));
  return padded.index({rows}).transpose(1, 2);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  m.def(
      "causal_conv1d(Tensor x, Tensor weight, Tensor? bias=None, Tensor? seq_idx=None, Tensor? initial_states=None, "
      "str? activation=None) -> Tensor",
      tags);
  m.def("causal_conv1d_varlen_states(Tensor x, Tensor cu_seqlens, SymInt state_len) -> Tensor", tags);
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("causal_conv1d", &on_cpu); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("causal_conv1d", &meta); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("causal_conv1d", &autograd); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("causal_conv1d", &elsewhere); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) { m.impl("causal_conv1d", &elsewhere); }
TORCH_LIBRARY_IMPL(tapconv, CompositeImplicitAutograd, m) { m.impl("causal_conv1d_varlen_states", &varlen_states); }

}  // namespace tapconv::ops
