// The operators on CUDA devices, below autograd: they check, allocate, and hand pointers and the current stream to the
// kernels. Device, stream and memory come by torch's interfaces for any device, so this compiles, links and loads with
// a torch that knows no CUDA. The memory is that of torch's caching allocator, in stream order, and nothing here waits
// for the device, but to ask whether numbers may go by overlap-save: a CUDA graph can capture everything else.
#include "ops/dispatch/cuda.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include "composed/any_device/device_evenness.h"
#include "composed/any_device/device_overlap_save.h"
#include "composed/any_device/grad_bias.h"
#include "composed/any_device/library_gradient.h"
#include "cuda/conv1d.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

using cuda::Algorithm;

// What torch's switches say now. The precision is that of torch's own convolutions.
cuda::Settings current_settings() {
  const at::Context& context = at::globalContext();
  return {.allow_tf32 =
              context.float32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV) == at::Float32Precision::TF32,
          .deterministic = context.deterministicAlgorithms() || context.deterministicCuDNN()};
}

void check(const char* error, const at::Tensor& tensor) {
  TORCH_CHECK(
      error == nullptr, "tapconv: CUDA says '", error, "' on ", tensor.device(),
      ". If it has no kernel for this device, build tapconv for its architecture (TAPCONV_CUDA_ARCHITECTURES).");
}

using PlanOf = cuda::Plan (*)(const kernels::Problem&, const cuda::Device&, const cuda::Settings&);

cuda::Plan plan(PlanOf plan_of, const kernels::Problem& problem, const at::Tensor& tensor) {
  cuda::Device device{};
  check(cuda::describe_device(tensor.device().index(), &device), tensor);
  return plan_of(problem, device, current_settings());
}

// For numbers that overlap-save must not transform together.
cuda::Plan plan_direct(PlanOf plan_of, kernels::Problem problem, const at::Tensor& tensor) {
  problem.algorithm = kernels::AlgorithmRequest::direct;
  return plan(plan_of, problem, tensor);
}

// run(workspace, stream) with memory for the plan and the current stream of the tensor's device, which is current.
template <class Run>
void launch(const cuda::Plan& plan, const at::Tensor& tensor, const Run& run) {
  const at::Tensor workspace =
      at::empty({static_cast<int64_t>(plan.workspace_bytes)}, tensor.options().dtype(at::kByte));
  const c10::Stream stream = c10::impl::VirtualGuardImpl(tensor.device().type()).getStream(tensor.device());
  check(run(workspace.mutable_data_ptr(), stream.native_handle()), tensor);
}

at::Tensor batched(const at::Tensor& tensor) { return tensor.dim() == 2 ? tensor.unsqueeze(0) : tensor; }

// Raises unless the kernels have the algorithm that a forward call asks for.
void check_request(const Attributes& attributes) {
  TORCH_CHECK_VALUE(attributes.algorithm != kernels::AlgorithmRequest::winograd,
                    "algorithm='winograd' cannot be met: the kernels for CUDA devices have no such transforms. Pass "
                    "algorithm='auto' to let tapconv choose, or 'direct' for sums in plain order.");
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const RawAttributes& raw) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes<int64_t>(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return delegate(input, weight, bias, raw);
  const c10::OptionalDeviceGuard guard(input.device());
  const at::Tensor output = at::empty(shape_of(Role::output, *sizes, *attributes), input.options());
  return conv1d_cuda(input, weight, bias, raw, *sizes, *attributes, output);
}

at::Tensor conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, int64_t input_length,
                             const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_input");
  const auto sizes = grad_input_sizes<int64_t>(grad_output, weight, input_length, attributes);
  const c10::OptionalDeviceGuard guard(weight.device());
  const auto shape = shape_of(Role::input, sizes, attributes);
  const at::Tensor grad_input = at::empty(shape, weight.options());
  if (sizes.batch == 0) return grad_input;
  cuda::Plan plan =
      ops::plan(&cuda::plan_grad_input, problem_of(sizes, attributes, grad_output, grad_input, weight), weight);
  if (plan.algorithm == Algorithm::library) {
    return composed::library_grad_input(plan.problem, batched(grad_output), weight).view(shape);
  }
  if (plan.algorithm == Algorithm::fft) {
    if (composed::is_even_grad_input(plan.problem, batched(grad_output), weight)) {
      return composed::device_overlap_save_grad_input(plan.problem, batched(grad_output), weight).view(shape);
    }
    plan = plan_direct(&cuda::plan_grad_input, plan.problem, weight);
  }
  launch(plan, weight, [&](void* workspace, void* stream) {
    return cuda::grad_input(plan, grad_output.const_data_ptr(), weight.const_data_ptr(), grad_input.mutable_data_ptr(),
                            workspace, stream);
  });
  return grad_input;
}

// The gradient by the weight, and, if `wants_bias`, the one by the bias; else that one is undefined.
std::tuple<at::Tensor, at::Tensor> grad_weight_of(const at::Tensor& grad_output, const at::Tensor& input,
                                                  int64_t kernel_size, const Attributes& attributes, bool wants_bias) {
  const auto sizes = grad_weight_sizes<int64_t>(grad_output, input, kernel_size, attributes);
  const c10::OptionalDeviceGuard guard(input.device());
  const auto shape = shape_of(Role::weight, sizes, attributes);
  if (sizes.batch == 0) {
    return {at::zeros(shape, input.options()),
            wants_bias ? at::zeros({sizes.out_channels}, input.options()) : at::Tensor()};
  }
  const at::Tensor grad_weight = at::empty(shape, input.options());
  cuda::Plan plan =
      ops::plan(&cuda::plan_grad_weight, problem_of(sizes, attributes, grad_output, input, grad_weight), input);
  if (plan.algorithm == Algorithm::library) {
    return composed::library_grad_weight(plan.problem, batched(grad_output), batched(input), wants_bias);
  }
  if (plan.algorithm == Algorithm::fft) {
    if (composed::is_even_grad_weight(plan.problem, batched(grad_output), batched(input))) {
      return {composed::device_overlap_save_grad_weight(plan.problem, batched(grad_output), batched(input)),
              wants_bias ? composed::grad_bias_of(grad_output) : at::Tensor()};
    }
    plan = plan_direct(&cuda::plan_grad_weight, plan.problem, input);
  }
  const at::Tensor grad_bias = wants_bias ? at::empty({sizes.out_channels}, input.options()) : at::Tensor();
  launch(plan, input, [&](void* workspace, void* stream) {
    return cuda::grad_weight(plan, grad_output.const_data_ptr(), input.const_data_ptr(), grad_weight.mutable_data_ptr(),
                             wants_bias ? grad_bias.mutable_data_ptr() : nullptr, workspace, stream);
  });
  return {grad_weight, grad_bias};
}

at::Tensor conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, int64_t kernel_size,
                              const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_weight");
  return std::get<0>(grad_weight_of(grad_output, input, kernel_size, attributes, /*wants_bias=*/false));
}

std::tuple<at::Tensor, at::Tensor> conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                           int64_t kernel_size, const RawAttributes& raw) {
  const Attributes attributes = understand_or_raise(raw, "conv1d_grad_weight_bias");
  return grad_weight_of(grad_output, input, kernel_size, attributes, /*wants_bias=*/true);
}

}  // namespace

at::Tensor conv1d_cuda(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       const RawAttributes& raw, const Sizes<int64_t>& sizes, const Attributes& attributes,
                       const at::Tensor& output) {
  check_request(attributes);
  if (sizes.batch == 0) return output;
  const c10::OptionalDeviceGuard guard(input.device());
  cuda::Plan plan = ops::plan(&cuda::plan_forward, problem_of(sizes, attributes, output, input, weight), input);
  if (plan.algorithm == Algorithm::library) return delegate(input, weight, bias, raw);
  const at::Tensor dense_bias = bias && bias->defined() ? bias->contiguous() : at::Tensor();
  if (plan.algorithm == Algorithm::fft) {
    if (composed::is_even_forward(plan.problem, batched(input), weight)) {
      return composed::device_overlap_save_forward(plan.problem, batched(input), weight, dense_bias)
          .view(output.sizes());
    }
    plan = plan_direct(&cuda::plan_forward, plan.problem, input);
  }
  launch(plan, input, [&](void* workspace, void* stream) {
    return cuda::forward(plan, input.const_data_ptr(), weight.const_data_ptr(),
                         dense_bias.defined() ? dense_bias.const_data_ptr() : nullptr, output.mutable_data_ptr(),
                         workspace, stream);
  });
  return output;
}

TORCH_LIBRARY_IMPL(tapconv, CUDA, m) {
  m.impl("conv1d", unboxed<&conv1d>);
  m.impl("conv1d_grad_input", unboxed<&conv1d_grad_input>);
  m.impl("conv1d_grad_weight", unboxed<&conv1d_grad_weight>);
  m.impl("conv1d_grad_weight_bias", unboxed<&conv1d_grad_weight_bias>);
}

}  // namespace tapconv::ops
