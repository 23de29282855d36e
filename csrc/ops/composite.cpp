// Kernels made of other operators: padding given in words, and devices without a kernel of ours.
#include <ATen/ops/conv1d.h>
#include <torch/library.h>

#include "ops/delegate.h"
#include "ops/operator.h"

namespace tapconv::ops {
namespace {

// From the first tap to the last: "same" and "causal" add this many samples, so that as many come out as went in.
// Nothing where the weight or the dilation is not one that torch takes.
std::optional<int64_t> reach_of(const at::Tensor& weight, at::IntArrayRef dilation) {
  if (weight.dim() != 3 || dilation.size() != 1 || dilation[0] < 1) return std::nullopt;
  const int64_t kernel_size = weight.sym_size(2).guard_int(__FILE__, __LINE__);
  int64_t reach = 0;
  if (kernel_size < 1 || __builtin_mul_overflow(kernel_size - 1, dilation[0], &reach)) return std::nullopt;
  return reach;
}

at::Tensor conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                          at::IntArrayRef stride, std::string_view padding, at::IntArrayRef dilation, int64_t groups,
                          std::string_view padding_mode, std::string_view algorithm) {
  const auto with = [&](at::IntArrayRef numbers) {
    return call_conv1d(input, weight, bias, {stride, numbers, dilation, groups, padding_mode, algorithm});
  };
  const auto reach = reach_of(weight, dilation);
  if (padding == "causal") return reach ? with({*reach, 0}) : with(0);
  // Of two errors in one call, torch finds others first where padding is a word: it has calls with any of these.
  const bool is_usual = (input.dim() == 2 || input.dim() == 3) && weight.dim() == 3 &&
                        (!bias || !bias->defined() || bias->scalar_type() == input.scalar_type());
  if (padding == "valid" && is_usual) return with(0);
  if (padding == "same" && is_usual && reach && stride.size() == 1 && stride[0] == 1)
    return with({*reach / 2, *reach - *reach / 2});
  return at::conv1d(input, weight, bias, stride, padding, dilation, groups);  // raises: torch says what is wrong
}

at::Tensor conv1d_elsewhere(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                            std::string_view padding_mode, std::string_view algorithm) {
  const RawAttributes raw{stride, padding, dilation, groups, padding_mode, algorithm};
  understand(raw);  // raises where torch would not
  return delegate(input, weight, bias, raw);
}

// Packed weights are laid out for the kernels of the CPU.
void refuse_packed(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::Device device = torch::jit::peek(*stack, 0, op.schema().arguments().size()).toTensor().device();
  TORCH_CHECK_NOT_IMPLEMENTED(false, op.schema().name(), " is for the CPU alone, and this tensor is on ", device,
                              ". Call tapconv.conv1d with the plain weight there.");
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CompositeImplicitAutograd, m) { m.impl("conv1d.padding", &conv1d_padding); }

// Without this, vmap calls a composite operator once per sample, and warns.
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatchedDecomposition, m) { m.impl("conv1d.padding", &conv1d_padding); }

TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) {
  m.impl("conv1d", &conv1d_elsewhere);
  for (const char* const name : {"pack_weight", "conv1d_packed", "conv1d_packed.out"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse_packed>());
  }
}

}  // namespace tapconv::ops
