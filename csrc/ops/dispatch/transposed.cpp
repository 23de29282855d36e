// conv_transpose1d: the gradient of a convolution by its input, as an operator of its own. It is made of
// conv1d_grad_input and a sum, whose derivatives, folds and shapes it has.
#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/ops/conv_transpose1d.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "ops/arguments/arguments.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

// `output` belongs to the caller alone. Tracers and transforms do not see that, and get a sum that changes nothing; and
// so does a tangent of the bias, which may be theirs.
at::Tensor add_bias(at::Tensor output, const at::Tensor& bias) {
  const at::Tensor column = bias.unsqueeze(-1);
  const bool may_change = !at::areAnyTensorSubclassLike({output, bias}) && !torch::autograd::isFwGradDefined(bias);
  return may_change ? output.add_(column) : output.add(column);
}

at::Tensor conv_transpose1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const TransposedAttributes& a) {
  const SymRawAttributes raw{a.stride, a.padding, a.dilation, a.groups, "zeros", "auto"};
  const auto attributes = understand(raw);
  const bool one_number_each = a.padding.size() == 1 && a.output_padding.size() == 1;
  const auto length = attributes && one_number_each && !is_mapped_over_nothing(input, weight)
                          ? transposed_length(input, weight, bias, *attributes, a.output_padding[0])
                          : std::nullopt;
  if (!length) {
    check_groups_under_transforms(a.groups);
    return at::conv_transpose1d_symint(input, weight, bias, a.stride, a.padding, a.output_padding, a.groups,
                                       a.dilation);
  }
  at::Tensor output = call_conv1d_grad_input(input, weight, *length, raw);
  return bias && bias->defined() ? add_bias(std::move(output), *bias) : output;
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CompositeImplicitAutograd, m) { m.impl("conv_transpose1d", unboxed<&conv_transpose1d>); }

// Without this, vmap calls a composite operator once per sample, and warns.
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatchedDecomposition, m) {
  m.impl("conv_transpose1d", unboxed<&conv_transpose1d>);
}

}  // namespace tapconv::ops
