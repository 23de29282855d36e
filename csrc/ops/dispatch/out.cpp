// conv1d.out, which writes into a tensor that the caller keeps: on every layer of the dispatcher that such an operator
// passes. Not tagged at::Tag::out, because inductor would then rewrite conv1d to it, with keyword arguments given
// twice.
#include "ops/dispatch/out.h"

#include <ATen/MemoryOverlap.h>
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include "ops/dispatch/cpu.h"
#include "ops/dispatch/cuda.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {

void check_out(const at::Tensor& out, const at::Tensor& result_like) {
  TORCH_CHECK(out.scalar_type() == result_like.scalar_type(), "Expected out tensor to have dtype ", result_like.dtype(),
              ", but got ", out.dtype(), " instead");
  TORCH_CHECK(out.device() == result_like.device(), "Expected out tensor to have device ", result_like.device(),
              ", but got ", out.device(), " instead");
}

at::Tensor& put(const at::Tensor& result, at::Tensor& out) {
  check_out(out, result);
  at::native::resize_output_symint(out, result.sym_sizes());
  return out.copy_(result);
}

void prepare_out(at::Tensor& out, at::IntArrayRef shape, const at::Tensor& first, const at::Tensor& second,
                 const std::optional<at::Tensor>& bias) {
  at::native::resize_output(out, shape);
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, first);
  at::assert_no_overlap(out, second);
  if (bias && bias->defined()) at::assert_no_overlap(out, *bias);
}

namespace {

at::Tensor& conv1d_out_cpu(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                           const RawAttributes& raw, at::Tensor& out) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return put(delegate(input, weight, bias, raw), out);
  check_out(out, input);
  prepare_out(out, shape_of(Role::output, *sizes, *attributes), input, weight, bias);
  conv1d_into(input, weight, bias, *sizes, *attributes, out);
  return out;
}

#if TAPCONV_HAVE_CUDA
at::Tensor& conv1d_out_cuda(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const RawAttributes& raw, at::Tensor& out) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return put(delegate(input, weight, bias, raw), out);
  check_out(out, input);
  prepare_out(out, shape_of(Role::output, *sizes, *attributes), input, weight, bias);
  const at::Tensor result = conv1d_cuda(input, weight, bias, raw, *sizes, *attributes, out);
  if (!result.is_same(out)) out.copy_(result);
  return out;
}
#endif

at::Tensor& conv1d_out_meta(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& raw, at::Tensor& out) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return put(delegate(input, weight, bias, raw), out);
  check_out(out, input);
  at::native::resize_output_symint(out, shape_of(Role::output, *sizes, *attributes));
  return out;
}

at::Tensor& conv1d_out_elsewhere(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, const SymRawAttributes& raw, at::Tensor& out) {
  return put(call_conv1d(input, weight, bias, raw), out);
}

at::Tensor& conv1d_out_autograd(const at::Tensor& input, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, const SymRawAttributes& raw, at::Tensor& out) {
  check_no_derivatives("conv1d", input, weight, bias, out);
  at::AutoDispatchBelowAutograd below_autograd;
  call_conv1d_out(input, weight, bias, raw, out);
  return out;
}

at::Tensor& conv1d_out_inplace(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                               const SymRawAttributes& raw, at::Tensor& out) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    call_conv1d_out(input, weight, bias, raw, out);
  }
  torch::autograd::increment_version(out);
  return out;
}

at::Tensor& conv1d_out_functionalize(const at::Tensor& input, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, const SymRawAttributes& raw,
                                     at::Tensor& out) {
  return functionalize_out(
      input, weight, bias, out, [&] { call_conv1d_out(input, weight, bias, raw, out); },
      [&](const at::Tensor& plain_input, const at::Tensor& plain_weight, const std::optional<at::Tensor>& plain_bias) {
        return call_conv1d(plain_input, plain_weight, plain_bias, raw);
      });
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d.out", unboxed<&conv1d_out_cpu>); }
#if TAPCONV_HAVE_CUDA
TORCH_LIBRARY_IMPL(tapconv, CUDA, m) { m.impl("conv1d.out", unboxed<&conv1d_out_cuda>); }
#endif
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d.out", unboxed<&conv1d_out_meta>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("conv1d.out", unboxed<&conv1d_out_elsewhere>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d.out", unboxed<&conv1d_out_autograd>); }
TORCH_LIBRARY_IMPL(tapconv, ADInplaceOrView, m) { m.impl("conv1d.out", unboxed<&conv1d_out_inplace>); }
TORCH_LIBRARY_IMPL(tapconv, Functionalize, m) { m.impl("conv1d.out", unboxed<&conv1d_out_functionalize>); }

}  // namespace tapconv::ops
