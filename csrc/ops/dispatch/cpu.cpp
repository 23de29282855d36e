// The operators on the CPU, below autograd: they check, allocate, and hand pointers to the kernels.
#include "ops/dispatch/cpu.h"

#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include "composed/overlap_save/overlap_save.h"
#include "ops/arguments/memory.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const RawAttributes& raw) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return delegate(input, weight, bias, raw);
  at::Tensor output = runtime::allocate(shape_of(Role::output, *sizes, *attributes), input.scalar_type());
  conv1d_into(input, weight, bias, *sizes, *attributes, output);
  return output;
}

at::Tensor conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, int64_t input_length,
                             const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_input");
  const auto sizes = grad_input_sizes<int64_t>(grad_output, weight, input_length, attributes);
  at::Tensor grad_input = runtime::allocate(shape_of(Role::input, sizes, attributes), weight.scalar_type());
  if (sizes.batch == 0) return grad_input;
  require_memory(grad_output, "grad_output");
  require_memory(weight, "weight");
  const kernels::Problem problem = problem_of(sizes, attributes, grad_output, grad_input, weight);
  runtime::explain_if_asked(problem, kernels::Direction::grad_input);
  const auto blocks = composed::overlap_save_for(problem, kernels::Direction::grad_input);
  if (blocks && composed::overlap_save_grad_input(problem, *blocks, grad_output, weight, grad_input)) return grad_input;
  runtime::launch(problem, kernels::plan_grad_input,
                  [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
                    kernels::grad_input(plan, grad_output.const_data_ptr(), weight.const_data_ptr(),
                                        grad_input.mutable_data_ptr(), workspace, parallel);
                  });
  return grad_input;
}

// The gradient by the weight, and into `grad_bias`, if it is defined, the one by the bias.
at::Tensor grad_weight_of(const at::Tensor& grad_output, const at::Tensor& input, const Sizes<int64_t>& sizes,
                          const Attributes& attributes, const at::Tensor& grad_bias) {
  if (sizes.batch == 0) {
    if (grad_bias.defined()) grad_bias.zero_();
    return at::zeros(shape_of(Role::weight, sizes, attributes), input.options());
  }
  require_memory(grad_output, "grad_output");
  require_memory(input, "input");
  at::Tensor grad_weight = runtime::allocate(shape_of(Role::weight, sizes, attributes), input.scalar_type());
  const kernels::Problem problem = problem_of(sizes, attributes, grad_output, input, grad_weight);
  runtime::explain_if_asked(problem, kernels::Direction::grad_weight);
  const auto blocks = composed::overlap_save_for(problem, kernels::Direction::grad_weight);
  if (blocks && composed::overlap_save_grad_weight(problem, *blocks, grad_output, input, grad_weight, grad_bias)) {
    return grad_weight;
  }
  runtime::launch(problem, kernels::plan_grad_weight,
                  [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
                    kernels::grad_weight(
                        plan, grad_output.const_data_ptr(), input.const_data_ptr(), grad_weight.mutable_data_ptr(),
                        grad_bias.defined() ? grad_bias.mutable_data_ptr() : nullptr, workspace, parallel);
                  });
  return grad_weight;
}

at::Tensor conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, int64_t kernel_size,
                              const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_weight");
  const auto sizes = grad_weight_sizes<int64_t>(grad_output, input, kernel_size, attributes);
  return grad_weight_of(grad_output, input, sizes, attributes, at::Tensor());
}

std::tuple<at::Tensor, at::Tensor> conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                           int64_t kernel_size, const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_weight_bias");
  const auto sizes = grad_weight_sizes<int64_t>(grad_output, input, kernel_size, attributes);
  at::Tensor grad_bias = runtime::allocate({sizes.out_channels}, input.scalar_type());
  at::Tensor grad_weight = grad_weight_of(grad_output, input, sizes, attributes, grad_bias);
  return {std::move(grad_weight), std::move(grad_bias)};
}

}  // namespace

void check_request(const kernels::Problem& p, at::ScalarType type, at::IntArrayRef weight_shape) {
  const char* const reason = kernels::why_not(p, kernels::current_instruction_set());
  TORCH_CHECK_VALUE(reason == nullptr, "algorithm='", name_of(p.algorithm), "' cannot be met for an input of length ",
                    p.input_length, " and a ", type, " weight of size ", weight_shape, " with stride ", p.stride,
                    ", dilation ", p.dilation, " and ", p.groups, " groups: ", reason,
                    ". Pass algorithm='auto' to let tapconv choose, or 'direct' for sums in plain order.");
}

void conv1d_into(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                 const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output) {
  if (sizes.batch == 0) return;
  require_memory(input, "input");
  require_memory(weight, "weight");
  if (bias) require_memory(*bias, "bias");
  require_memory(output, "out");
  const kernels::Problem problem = problem_of(sizes, attributes, output, input, weight);
  check_request(problem, weight.scalar_type(), weight.sizes());
  runtime::explain_if_asked(problem, kernels::Direction::forward);
  const at::Tensor dense_bias = bias && bias->defined() ? bias->contiguous() : at::Tensor();
  kernels::Problem by_kernels = problem;
  if (const auto blocks = composed::overlap_save_for(problem, kernels::Direction::forward)) {
    if (composed::overlap_save_forward(problem, *blocks, input, weight, dense_bias, output)) return;
    by_kernels.algorithm = kernels::AlgorithmRequest::direct;
  }
  runtime::launch(by_kernels, kernels::plan_forward,
                  [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
                    kernels::forward(plan, input.const_data_ptr(), weight.const_data_ptr(),
                                     dense_bias.defined() ? dense_bias.const_data_ptr() : nullptr,
                                     output.mutable_data_ptr(), workspace, parallel);
                  });
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) {
  m.impl("conv1d", unboxed<&conv1d>);
  m.impl("conv1d_grad_input", unboxed<&conv1d_grad_input>);
  m.impl("conv1d_grad_weight", unboxed<&conv1d_grad_weight>);
  m.impl("conv1d_grad_weight_bias", unboxed<&conv1d_grad_weight_bias>);
}

}  // namespace tapconv::ops
