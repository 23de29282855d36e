// tapconv::causal_conv1d_update: causal_conv1d_update of the package causal-conv1d (Dao-AILab, 1.6), the step of a
// decoder. It changes conv_state and allocates nothing but its output.
#include <ATen/Functions.h>
#include <ATen/MemoryOverlap.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/library.h>

#include "ops/arguments/memory.h"
#include "ops/causal/causal_arguments.h"
#include "ops/causal/causal_launch.h"
#include "ops/causal/causal_operators.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

at::Tensor on_cpu(const UpdateArguments& a) {
  check(a);
  require_memory(a.x, "x");
  require_memory(a.conv_state, "conv_state");
  require_memory(a.weight, "weight");
  if (is_given(a.bias)) require_memory(*a.bias, "bias");
  check_values(a);
  if (a.x.numel() == 0) return at::empty_like(a.x, at::MemoryFormat::Contiguous);
  if (are_of_two_widths(a.x, a.weight)) {
    // Every number of the state is one in float64 too, and comes back as it was.
    const at::Tensor x = a.x.to(at::kDouble), state = a.conv_state.to(at::kDouble), weight = a.weight.to(at::kDouble);
    const std::optional<at::Tensor> bias = as_double(a.bias);
    const at::Tensor output = on_cpu({x, state, weight, bias, a.activation, a.cache_seqlens, a.conv_state_indices});
    a.conv_state.copy_(state);
    return output.to(a.x.scalar_type());
  }
  at::Tensor input = side_by_side(a.x.dim() == 2 ? a.x.unsqueeze(2) : a.x);
  // Samples between those of the state: whether some are both is too much to ask, so the samples are kept.
  if (at::get_overlap_status(a.conv_state, input) == at::MemOverlapStatus::TooHard) input = input.clone();
  const at::Tensor bias = dense(a.bias);
  const at::Tensor lengths = dense(a.cache_seqlens);
  const at::Tensor indices = dense(a.conv_state_indices);
  const at::Tensor output = allocated_output(input);
  kernels::CausalCall call = causal_call(input, a.weight, a.conv_state, output);
  call.silu = is_silu(a.activation);
  call.updates_state = true;
  launch_causal(call, {.input = input.const_data_ptr(),
                       .weight = a.weight.const_data_ptr(),
                       .bias = data_of(bias),
                       .output = output.mutable_data_ptr(),
                       .state = a.conv_state.mutable_data_ptr(),
                       .sequences = nullptr,
                       .cache_lengths = static_cast<const int32_t*>(data_of(lengths)),
                       .state_indices = static_cast<const int32_t*>(data_of(indices)),
                       .workspace = nullptr});
  return a.x.dim() == 2 ? output.squeeze(2) : output;
}

at::Tensor meta(const UpdateArguments& a) {
  check(a);
  return a.x.dim() == 2 ? at::empty_symint(a.x.sym_sizes(), a.x.options()) : empty_output(a.x);
}

at::Tensor elsewhere(const UpdateArguments& a) {
  TORCH_CHECK_NOT_IMPLEMENTED(false, "tapconv::causal_conv1d_update is for the CPU alone, and x is on ", a.x.device(),
                              ". There, call the function of this name of the package causal-conv1d.");
}

// A step is not differentiable, as in the original: the state that it changed is gone.
at::Tensor autograd(const UpdateArguments& a) {
  torch::autograd::check_inplace(a.conv_state, at::GradMode::is_enabled() && a.conv_state.requires_grad());
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    output = call_causal_conv1d_update(a);
  }
  torch::autograd::increment_version(a.conv_state);
  return output;
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("causal_conv1d_update", unboxed<&on_cpu>); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("causal_conv1d_update", unboxed<&meta>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("causal_conv1d_update", unboxed<&autograd>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("causal_conv1d_update", unboxed<&elsewhere>); }

}  // namespace tapconv::ops
