// conv1d_grad_weight_bias is conv1d_grad_weight and a sum of grad_output in one pass. Where it must itself be
// differentiable, or is mapped by vmap, it is those two operators, which have their own derivatives and folds.
#include <ATen/Tensor.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "composed/any_device/grad_bias.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

std::tuple<at::Tensor, at::Tensor> in_two(const at::Tensor& grad_output, const at::Tensor& input,
                                          const c10::SymInt& kernel_size, const SymRawAttributes& raw) {
  return {call_conv1d_grad_weight(grad_output, input, kernel_size, raw), composed::grad_bias_of(grad_output)};
}

std::tuple<at::Tensor, at::Tensor> autograd(const at::Tensor& grad_output, const at::Tensor& input,
                                            const c10::SymInt& kernel_size, const SymRawAttributes& raw) {
  if (torch::autograd::compute_requires_grad(grad_output, input) || torch::autograd::isFwGradDefined(grad_output) ||
      torch::autograd::isFwGradDefined(input)) {
    return in_two(grad_output, input, kernel_size, raw);
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_conv1d_grad_weight_bias(grad_output, input, kernel_size, raw);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_grad_weight_bias", unboxed<&autograd>); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) { m.impl("conv1d_grad_weight_bias", unboxed<&in_two>); }

}  // namespace tapconv::ops
