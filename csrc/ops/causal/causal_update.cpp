// tapconv::causal_conv1d_update: causal_conv1d_update of the package causal-conv1d (Dao-AILab, 1.6), the step of a
// decoder. It changes conv_state and allocates nothing but its output.
#include <ATen/Functions.h>
#include <ATen/MemoryOverlap.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/library.h>

#include "kernels/causal/causal.h"
#include "ops/arguments/memory.h"
#include "ops/causal/causal_composed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

using MaybeTensor = std::optional<at::Tensor>;
using MaybeName = std::optional<std::string_view>;

at::Tensor call(const UpdateArguments& a) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("tapconv::causal_conv1d_update", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const MaybeTensor&, MaybeName,
                            const MaybeTensor&, const MaybeTensor&)>();
  return op.call(a.x, a.conv_state, a.weight, a.bias, a.activation, a.cache_seqlens, a.conv_state_indices);
}

// What the kernels compute together: x, a state and a weight, all checked.
void update(const UpdateArguments& a, const at::Tensor& x, const at::Tensor& state, const at::Tensor& output) {
  const at::Tensor bias = is_given(a.bias) ? a.bias->contiguous() : at::Tensor();
  const at::Tensor lengths = is_given(a.cache_seqlens) ? a.cache_seqlens->contiguous() : at::Tensor();
  const at::Tensor indices = is_given(a.conv_state_indices) ? a.conv_state_indices->contiguous() : at::Tensor();
  kernels::CausalCall call = causal_call(x, a.weight, state, output);
  call.silu = is_silu(a.activation);
  call.updates_state = true;
  const kernels::CausalPlan plan = kernels::plan_causal(call, runtime::slots_for(call));
  const at::Tensor workspace = runtime::allocate({static_cast<int64_t>(plan.workspace_bytes)}, at::kByte);
  const auto data_of = [](const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; };
  kernels::causal(plan,
                  {.input = x.const_data_ptr(),
                   .weight = a.weight.const_data_ptr(),
                   .bias = data_of(bias),
                   .output = output.mutable_data_ptr(),
                   .state = state.mutable_data_ptr(),
                   .sequences = nullptr,
                   .cache_lengths = static_cast<const int32_t*>(data_of(lengths)),
                   .state_indices = static_cast<const int32_t*>(data_of(indices)),
                   .workspace = workspace.mutable_data_ptr()},
                  kernels::current_instruction_set(), runtime::parallel(plan.slots));
}

at::Tensor on_cpu(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight, const MaybeTensor& bias,
                  MaybeName activation, const MaybeTensor& cache_seqlens, const MaybeTensor& conv_state_indices) {
  const UpdateArguments a{x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices};
  check(a);
  require_memory(x, "x");
  require_memory(conv_state, "conv_state");
  require_memory(weight, "weight");
  if (is_given(bias)) require_memory(*bias, "bias");
  check_values(a);
  const bool is_step = x.dim() == 2;
  const at::Tensor input = is_step ? x.unsqueeze(2) : x;
  if (input.numel() == 0) return at::empty_like(x, at::MemoryFormat::Contiguous);
  if ((x.scalar_type() == at::kDouble) != (weight.scalar_type() == at::kDouble)) {
    // Every number of the state is one in float64 too, and comes back as it was.
    at::Tensor state = conv_state.to(at::kDouble);
    const MaybeTensor wide_bias = is_given(bias) ? MaybeTensor(bias->to(at::kDouble)) : std::nullopt;
    const at::Tensor output = on_cpu(x.to(at::kDouble), state, weight.to(at::kDouble), wide_bias, activation,
                                     cache_seqlens, conv_state_indices);
    conv_state.copy_(state);
    return output.to(x.scalar_type());
  }
  at::Tensor signal = side_by_side(input);
  // Samples between those of the state: whether some are both is too much to ask, so the samples are kept.
  if (at::get_overlap_status(conv_state, signal) == at::MemOverlapStatus::TooHard) signal = signal.clone();
  const at::Tensor output = allocated_output(signal);
  update(a, signal, conv_state, output);
  return is_step ? output.squeeze(2) : output;
}

at::Tensor meta(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight, const MaybeTensor& bias,
                MaybeName activation, const MaybeTensor& cache_seqlens, const MaybeTensor& conv_state_indices) {
  check(UpdateArguments{x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices});
  return x.dim() == 2 ? at::empty_symint(x.sym_sizes(), x.options()) : empty_output(x);
}

at::Tensor elsewhere(const at::Tensor& x, const at::Tensor&, const at::Tensor&, const MaybeTensor&, MaybeName,
                     const MaybeTensor&, const MaybeTensor&) {
  TORCH_CHECK_NOT_IMPLEMENTED(false, "tapconv::causal_conv1d_update is for the CPU alone, and x is on ", x.device(),
                              ". There, call the function of this name of the package causal-conv1d.");
}

// A step is not differentiable, as in the original: the state that it changed is gone.
at::Tensor autograd(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight,
                    const MaybeTensor& bias, MaybeName activation, const MaybeTensor& cache_seqlens,
                    const MaybeTensor& conv_state_indices) {
  torch::autograd::check_inplace(conv_state, at::GradMode::is_enabled() && conv_state.requires_grad());
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    output = call({x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices});
  }
  torch::autograd::increment_version(conv_state);
  return output;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def(
      "causal_conv1d_update(Tensor x, Tensor(a!) conv_state, Tensor weight, Tensor? bias=None, str? activation=None, "
      "Tensor? cache_seqlens=None, Tensor? conv_state_indices=None) -> Tensor",
      {at::Tag::pt2_compliant_tag});
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("causal_conv1d_update", &on_cpu); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("causal_conv1d_update", &meta); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("causal_conv1d_update", &autograd); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("causal_conv1d_update", &elsewhere); }

}  // namespace tapconv::ops
