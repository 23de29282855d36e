// The operators on the CPU, below autograd: they check, allocate, and hand pointers to the kernels.
#include "ops/cpu.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include "kernels/conv1d.h"
#include "kernels/overlap_save.h"
#include "ops/delegate.h"
#include "ops/huge_pages.h"
#include "ops/overlap_save.h"

namespace tapconv::ops {
namespace {

// Below this many multiply-adds and elements, waking another thread costs more than it saves.
constexpr double worthwhile_work = 1 << 17;

int slots_for(const kernels::Problem& problem) {
  const int threads = at::get_num_threads();
  if (threads == 1 || at::in_parallel_region()) return 1;
  const double outputs = double(problem.batch) * double(problem.out_channels) * double(problem.output_length);
  const double taps = double(problem.in_channels / problem.groups) * double(problem.kernel_size);
  const double inputs = double(problem.batch) * double(problem.in_channels) * double(problem.input_length);
  return outputs * (taps + 1) + inputs < worthwhile_work ? 1 : threads;
}

// at::parallel_for carries an exception thrown in any slot to the caller.
void run_slots(int slots, void (*body)(void* argument, int slot), void* argument) {
  at::parallel_for(0, slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) body(argument, static_cast<int>(slot));
  });
}

kernels::Parallel parallel(int slots) {
  return slots == 1 ? kernels::serial() : kernels::Parallel{.slots = slots, .run = &run_slots};
}

// Raises unless the problem can be computed by the algorithm that it asks for.
void check_request(const kernels::Problem& p, const at::Tensor& weight) {
  const char* const reason = kernels::why_not(p, kernels::current_instruction_set());
  TORCH_CHECK_VALUE(reason == nullptr, "algorithm='", name_of(p.algorithm), "' cannot be met for an input of length ",
                    p.input_length, " and a ", weight.scalar_type(), " weight of size ", weight.sizes(),
                    " with stride ", p.stride, ", dilation ", p.dilation, " and ", p.groups, " groups: ", reason,
                    ". Pass algorithm='auto' to let tapconv choose, or 'direct' for sums in plain order.");
}

// Plans with `plan_of`, then has `run` compute with the plan, a workspace and threads.
template <typename PlanOf, typename Run>
void launch(const kernels::Problem& problem, PlanOf plan_of, Run run) {
  const int slots = slots_for(problem);
  const kernels::Plan plan = plan_of(problem, kernels::current_instruction_set(), slots);
  const at::Tensor workspace = at::detail::empty_cpu({static_cast<int64_t>(plan.workspace_bytes)}, at::kByte);
  run(plan, workspace.mutable_data_ptr(), parallel(slots));
}

std::optional<kernels::OverlapSave> overlap_save_for(const kernels::Problem& problem, kernels::Direction direction) {
  return kernels::choose_overlap_save(problem, direction, kernels::current_instruction_set());
}

// CPU memory straight from torch's allocator, which aligns it to 64 bytes.
at::Tensor allocate(at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::detail::empty_cpu(shape, type);
  prefer_huge_pages(tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                  std::string_view padding_mode, std::string_view algorithm) {
  const RawAttributes raw{stride, padding, dilation, groups, padding_mode, algorithm};
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes<int64_t>(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return delegate(input, weight, bias, raw);
  at::Tensor output = allocate(shape_of(Role::output, *sizes, *attributes), input.scalar_type());
  conv1d_into(input, weight, bias, *sizes, *attributes, output);
  return output;
}

at::Tensor conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, int64_t input_length,
                             at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                             std::string_view padding_mode, std::string_view algorithm) {
  const Attributes attributes =
      understand_or_raise({stride, padding, dilation, groups, padding_mode, algorithm}, "conv1d_grad_input");
  const auto sizes = grad_input_sizes<int64_t>(grad_output, weight, input_length, attributes);
  at::Tensor grad_input = allocate(shape_of(Role::input, sizes, attributes), weight.scalar_type());
  if (sizes.batch == 0) return grad_input;
  const kernels::Problem problem = problem_of(sizes, attributes, grad_output, grad_input, weight);
  const auto blocks = overlap_save_for(problem, kernels::Direction::grad_input);
  if (blocks && overlap_save_grad_input(problem, *blocks, grad_output, weight, grad_input)) return grad_input;
  launch(problem, kernels::plan_grad_input,
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
  at::Tensor grad_weight = allocate(shape_of(Role::weight, sizes, attributes), input.scalar_type());
  const kernels::Problem problem = problem_of(sizes, attributes, grad_output, input, grad_weight);
  const auto blocks = overlap_save_for(problem, kernels::Direction::grad_weight);
  if (blocks && overlap_save_grad_weight(problem, *blocks, grad_output, input, grad_weight, grad_bias)) {
    return grad_weight;
  }
  launch(problem, kernels::plan_grad_weight,
         [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
           kernels::grad_weight(plan, grad_output.const_data_ptr(), input.const_data_ptr(),
                                grad_weight.mutable_data_ptr(),
                                grad_bias.defined() ? grad_bias.mutable_data_ptr() : nullptr, workspace, parallel);
         });
  return grad_weight;
}

at::Tensor conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, int64_t kernel_size,
                              at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups,
                              std::string_view padding_mode, std::string_view algorithm) {
  const Attributes attributes =
      understand_or_raise({stride, padding, dilation, groups, padding_mode, algorithm}, "conv1d_grad_weight");
  const auto sizes = grad_weight_sizes<int64_t>(grad_output, input, kernel_size, attributes);
  return grad_weight_of(grad_output, input, sizes, attributes, at::Tensor());
}

std::tuple<at::Tensor, at::Tensor> conv1d_grad_weight_bias(const at::Tensor& grad_output, const at::Tensor& input,
                                                           int64_t kernel_size, at::IntArrayRef stride,
                                                           at::IntArrayRef padding, at::IntArrayRef dilation,
                                                           int64_t groups, std::string_view padding_mode,
                                                           std::string_view algorithm) {
  const Attributes attributes =
      understand_or_raise({stride, padding, dilation, groups, padding_mode, algorithm}, "conv1d_grad_weight_bias");
  const auto sizes = grad_weight_sizes<int64_t>(grad_output, input, kernel_size, attributes);
  at::Tensor grad_bias = allocate({sizes.out_channels}, input.scalar_type());
  at::Tensor grad_weight = grad_weight_of(grad_output, input, sizes, attributes, grad_bias);
  return {std::move(grad_weight), std::move(grad_bias)};
}

}  // namespace

void conv1d_into(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                 const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output) {
  if (sizes.batch == 0) return;
  const kernels::Problem problem = problem_of(sizes, attributes, output, input, weight);
  check_request(problem, weight);
  const at::Tensor dense_bias = bias && bias->defined() ? bias->contiguous() : at::Tensor();
  const auto run = [&](const kernels::Problem& part, int64_t sample, int64_t output_offset) {
    const auto bytes = static_cast<int64_t>(input.element_size());
    const char* const from =
        static_cast<const char*>(input.const_data_ptr()) + sample * part.input_strides.batch * bytes;
    char* const to =
        static_cast<char*>(output.mutable_data_ptr()) + (sample * part.output_strides.batch + output_offset) * bytes;
    launch(part, kernels::plan_forward,
           [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
             kernels::forward(plan, from, weight.const_data_ptr(),
                              dense_bias.defined() ? dense_bias.const_data_ptr() : nullptr, to, workspace, parallel);
           });
  };
  if (const auto blocks = overlap_save_for(problem, kernels::Direction::forward)) {
    overlap_save_forward(problem, *blocks, input, weight, dense_bias, output, run);
  } else {
    run(problem, 0, 0);
  }
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) {
  m.impl("conv1d", &conv1d);
  m.impl("conv1d_grad_input", &conv1d_grad_input);
  m.impl("conv1d_grad_weight", &conv1d_grad_weight);
  m.impl("conv1d_grad_weight_bias", &conv1d_grad_weight_bias);
}

}  // namespace tapconv::ops
