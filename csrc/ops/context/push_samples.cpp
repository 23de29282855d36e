// push_samples_, which moves the state of a stream on by a chunk: it keeps as many samples as it has, the last ones.
#include <ATen/MemoryOverlap.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "kernels/borders/push_samples.h"
#include "kernels/numbers/storage.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/memory.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

void check(const at::Tensor& state, const at::Tensor& samples) {
  TORCH_CHECK(
      state.dim() == 3 && samples.dim() == 3 && state.sym_size(0) == samples.sym_size(0) &&
          state.sym_size(1) == samples.sym_size(1) && state.scalar_type() == samples.scalar_type() &&
          state.device() == samples.device(),
      "push_samples_: expected a state and samples of one shape (batch, channels, length) but for their length, "
      "and of one type and device, got ",
      state.toString(), " of size ", state.sym_sizes(), " on ", state.device(), " and ", samples.toString(),
      " of size ", samples.sym_sizes(), " on ", samples.device());
}

void push_by_copies(at::Tensor& state, const at::Tensor& samples) {
  check(state, samples);
  const c10::SymInt kept = state.sym_size(2);
  const at::Tensor all = at::cat({state, samples}, 2);
  state.copy_(all.narrow_symint(2, all.sym_size(2) - kept, kept));
}

void push_on_cpu(at::Tensor& state, const at::Tensor& samples) {
  const auto type = data_type_of(state.scalar_type());
  if (!type || state.layout() != at::kStrided || samples.layout() != at::kStrided)
    return push_by_copies(state, samples);
  check(state, samples);
  if (state.numel() == 0 || samples.size(2) == 0) return;
  at::assert_no_internal_overlap(state);
  at::assert_no_overlap(state, samples);
  require_memory(state, "state");
  require_memory(samples, "samples");
  kernels::push_samples(activation_strides(state), state.size(2),
                        {samples.const_data_ptr(), samples.size(2), activation_strides(samples)}, state.size(0),
                        state.size(1), kernels::storage_bytes(*type), state.mutable_data_ptr());
}

void push_on_meta(at::Tensor& state, const at::Tensor& samples) { check(state, samples); }

void call(at::Tensor& state, const at::Tensor& samples) {
  static const RegisteredOperator<decltype(call)> op("tapconv::push_samples_");
  op(state, samples);
}

void push_under_autograd(at::Tensor& state, const at::Tensor& samples) {
  TORCH_CHECK(
      !torch::autograd::compute_requires_grad(state, samples) && !torch::autograd::isFwGradDefined(state) &&
          !torch::autograd::isFwGradDefined(samples),
      "push_samples_ has no derivatives, since it changes its state in place. Call it under torch.no_grad(), or "
      "join the state and the samples by torch.cat.");
  at::AutoDispatchBelowAutograd below_autograd;
  call(state, samples);
}

void push_and_count(at::Tensor& state, const at::Tensor& samples) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    call(state, samples);
  }
  torch::autograd::increment_version(state);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("push_samples_", unboxed<&push_on_cpu>); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("push_samples_", unboxed<&push_on_meta>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("push_samples_", unboxed<&push_by_copies>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("push_samples_", unboxed<&push_under_autograd>); }
TORCH_LIBRARY_IMPL(tapconv, ADInplaceOrView, m) { m.impl("push_samples_", unboxed<&push_and_count>); }

}  // namespace tapconv::ops
