// tapconv::explain: why a call is computed as it is. Its tensors say shapes, strides and the type; meta tensors do.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <string>

#include "kernels/conv1d.h"
#include "kernels/explain.h"
#include "ops/arguments/arguments.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

kernels::Direction direction_of(std::string_view name) {
  using kernels::Direction;
  for (const Direction direction : {Direction::forward, Direction::grad_input}) {
    if (name == name_of(direction)) return direction;
  }
  TORCH_CHECK_VALUE(name == name_of(Direction::grad_weight),
                    "direction should be one of 'forward', 'grad_input' or 'grad_weight', got '", name, "'");
  return Direction::grad_weight;
}

std::string explain(const at::Tensor& input, const at::Tensor& weight, const RawAttributes& raw,
                    std::string_view direction_name, int64_t threads) {
  const kernels::Direction direction = direction_of(direction_name);
  TORCH_CHECK_VALUE(threads >= 0 && threads <= 4096,
                    "threads should be a number of threads, or 0 for as many as torch would take, got ", threads);
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, std::nullopt, *attributes) : std::nullopt;
  if (!sizes) return "torch computes this call, or raises its error: these kernels do not take such arguments\n";
  if (sizes->batch == 0) return "there is nothing to compute: the batch is empty\n";
  const at::Tensor output = at::empty(shape_of(Role::output, *sizes, *attributes), input.options().device(at::kMeta));
  const kernels::Problem problem = problem_of(*sizes, *attributes, output, input, weight);
  const kernels::InstructionSet& set = kernels::current_instruction_set();
  if (const char* reason = direction == kernels::Direction::forward ? kernels::why_not(problem, set) : nullptr) {
    return std::string("the algorithm that is asked for cannot be had: ") + reason + "\n";
  }
  return kernels::explain(problem, direction, set,
                          threads > 0 ? static_cast<int>(threads) : runtime::slots_for(problem));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def(
      "explain(Tensor input, Tensor weight, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int groups=1, "
      "str padding_mode=\"zeros\", str algorithm=\"auto\", str direction=\"forward\", int threads=0) -> str",
      unboxed<&explain>);
}

}  // namespace tapconv::ops
