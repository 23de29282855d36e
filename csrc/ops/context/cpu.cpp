// conv1d_context on the CPU, below autograd.
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "composed/overlap_save/overlap_save.h"
#include "kernels/borders/bordered.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/borders.h"
#include "ops/arguments/memory.h"
#include "ops/context/joined.h"
#include "ops/dispatch/cpu.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

kernels::Signal signal_of(const std::optional<at::Tensor>& tensor) {
  if (!tensor || !tensor->defined()) return {nullptr, 0, {}};
  return {tensor->const_data_ptr(), tensor->size(-1), activation_strides(*tensor)};
}

at::Tensor conv1d_context(const ContextCall& call) {
  const auto& [input, weight, bias, left, right, raw] = call;
  check_borders(input, left, right);
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return conv1d_of_joined(call);
  const kernels::BorderLengths borders = {read_of(left, attributes->padding_left),
                                          read_of(right, attributes->padding_right)};
  if (borders.left == 0 && borders.right == 0) return conv1d_of_joined(call);

  at::Tensor output = runtime::allocate(shape_of(Role::output, *sizes, *attributes), input.scalar_type());
  if (sizes->batch == 0) return output;
  require_memory(input, "input");
  require_memory(weight, "weight");
  for (const auto& [tensor, name] : {std::pair(&bias, "bias"), {&left, "left"}, {&right, "right"}}) {
    if (*tensor) require_memory(**tensor, name);
  }
  const kernels::Problem problem = problem_of(*sizes, *attributes, output, input, weight);
  const kernels::Problem joined = kernels::problem_of(problem, kernels::whole_part(problem, borders));
  check_request(joined, weight.scalar_type(), weight.sizes());
  // Beside large transforms a copy of the signal costs little.
  if (composed::overlap_save_for(joined, kernels::Direction::forward)) return conv1d_of_joined(call);
  runtime::explain_if_asked(joined, kernels::Direction::forward);

  const at::Tensor dense_bias = bias && bias->defined() ? bias->contiguous() : at::Tensor();
  const kernels::BorderPlan plan =
      kernels::plan_bordered_forward(problem, borders, kernels::current_instruction_set(), &runtime::slots_for);
  const at::Tensor workspace = runtime::allocate({static_cast<int64_t>(plan.workspace_bytes)}, at::kByte);
  kernels::bordered_forward(plan, {signal_of(left), signal_of(input), signal_of(right)}, weight.const_data_ptr(),
                            dense_bias.defined() ? dense_bias.const_data_ptr() : nullptr, output.mutable_data_ptr(),
                            workspace.mutable_data_ptr(), runtime::parallel(runtime::slots_for(problem)));
  return output;
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d_context", unboxed<&conv1d_context>); }

}  // namespace tapconv::ops
