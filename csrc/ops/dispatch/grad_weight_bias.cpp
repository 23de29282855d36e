// conv1d_grad_weight_bias is conv1d_grad_weight and a sum of grad_output in one pass. Where it must itself be
// differentiable, or is mapped by vmap, it is those two operators, which have their own derivatives and folds.
#include <ATen/Tensor.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "composed/any_device/grad_bias.h"
#include "ops/schema/operator.h"

namespace tapconv::ops {
namespace {

std::tuple<at::Tensor, at::Tensor> in_two(const at::Tensor& grad_output, const at::Tensor& input,
                                          c10::SymInt kernel_size, c10::SymIntArrayRef stride,
                                          c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, c10::SymInt groups,
                                          std::string_view padding_mode, std::string_view algorithm) {
  const SymRawAttributes attributes{stride, padding, dilation, groups, padding_mode, algorithm};
  return {call_conv1d_grad_weight(grad_output, input, kernel_size, attributes), composed::grad_bias_of(grad_output)};
}

std::tuple<at::Tensor, at::Tensor> autograd(const at::Tensor& grad_output, const at::Tensor& input,
                                            c10::SymInt kernel_size, c10::SymIntArrayRef stride,
                                            c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                                            c10::SymInt groups, std::string_view padding_mode,
                                            std::string_view algorithm) {
  if (torch::autograd::compute_requires_grad(grad_output, input) || torch::autograd::isFwGradDefined(grad_output) ||
      torch::autograd::isFwGradDefined(input)) {
    return in_two(grad_output, input, std::move(kernel_size), stride, padding, dilation, groups, padding_mode,
                  algorithm);
  }
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_conv1d_grad_weight_bias(grad_output, input, kernel_size,
                                      {stride, padding, dilation, groups, padding_mode, algorithm});
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_grad_weight_bias", &autograd); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) { m.impl("conv1d_grad_weight_bias", &in_two); }

}  // namespace tapconv::ops
