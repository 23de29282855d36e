// The gradient by the input is a forward problem with flipped, transposed weights (kernels/lowering/input_gradient.h).
// With a padding mode other than zeros the gradients of the padded positions come first, into the workspace and in the
// wide type. The kernels then add them to the samples that they are copies of, before the one rounding.
#include "sequence.h"

#include "kernels/core/integers.h"
#include "kernels/lowering/input_gradient.h"
#include "kernels/numbers/storage.h"
#include "launch_planner.h"

namespace tapconv::cuda {
namespace {

using kernels::InputRange;
using kernels::PaddingMode;
using kernels::Problem;

constexpr int64_t alignment = 256;

bool has_borders(const Problem& p) {
  return p.padding_mode != PaddingMode::zeros && p.padding_left + p.padding_right > 0 && p.batch > 0 &&
         p.output_length > 0 && p.out_channels > 0;
}

// Returns positions [begin, end) of all channels and samples, packed, in the wide type.
InputRange packed_range(const Problem& p, int64_t begin, int64_t end) {
  const int64_t length = end - begin;
  return {begin, end, p.batch, {p.in_channels * length, length, 1}, true};
}

InputRange left_border(const Problem& p) { return packed_range(p, -p.padding_left, 0); }
InputRange right_border(const Problem& p) { return packed_range(p, p.input_length, p.input_length + p.padding_right); }

int64_t range_bytes(const Problem& p, const InputRange& range) {
  const int64_t elements = p.batch * p.in_channels * (range.end - range.begin);
  return kernels::rounded_up(elements * kernels::compute_bytes(p.data_type), alignment);
}

Borders no_borders() { return {PaddingMode::zeros, 0, 0, 0, 0, 1, nullptr, nullptr}; }

// The ranges of one gradient have these in common.
struct InputGradient {
  const Plan& plan;
  const char* grad_output;
  const char* weight;
  Runner& runner;

  const char* compute(const InputRange& range, Borders borders, char* to) const {
    const Problem& p = plan.problem;
    const bool any = p.output_length > 0 && p.out_channels > 0;
    if (range.end == range.begin || p.batch == 0 || p.in_channels == 0) return nullptr;
    if (!any || !reaches_all(p, range)) {
      const FillLaunch fill =
          plan_fill(p.data_type, range.wide, range.samples, p.in_channels, range.end - range.begin, range.strides);
      if (const char* error = runner.fill(fill, {to, borders})) return error;
    }
    if (!any) return nullptr;
    for (int64_t i = 0; i < forward_problem_count(p, range); ++i) {
      const kernels::ForwardProblem lowered = forward_problem(p, range, i);
      // There are no outputs where a residue or a set of phases lies outside the range altogether.
      if (lowered.problem.output_length <= 0) continue;
      const Algorithm algorithm = choose_kernel(lowered.problem, plan.device, plan.settings);
      const int64_t bytes = kernels::storage_bytes(p.data_type);
      // A problem for one residue modulo the stride writes every stride-th sample.
      borders.apart = range.strides.time != 0 ? lowered.problem.output_strides.time / range.strides.time : 1;
      borders.first = range.strides.time != 0 ? lowered.output_offset / range.strides.time : lowered.output_offset;
      const ForwardArguments arguments{
          grad_output, weight + lowered.weight_offset * bytes, nullptr,
          to + lowered.output_offset * (range.wide ? kernels::compute_bytes(p.data_type) : bytes), borders};
      const ForwardLaunch launch = plan_launch(lowered.problem, lowered.variant, algorithm);
      if (const char* error = runner.forward(algorithm, launch, arguments)) return error;
    }
    return nullptr;
  }
};

}  // namespace

size_t workspace_bytes(const Problem& problem, Direction direction) {
  switch (direction) {
    case Direction::forward:
      return 0;
    case Direction::grad_input:
      if (!has_borders(problem)) return 0;
      return static_cast<size_t>(range_bytes(problem, left_border(problem)) +
                                 range_bytes(problem, right_border(problem)));
    case Direction::grad_weight:
      break;
  }
  const GradWeightLaunch launch = plan_grad_weight_launch(problem);
  return weight_parts_bytes(launch) + bias_parts_bytes(launch);
}

const char* run_forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output,
                        Runner& runner) {
  const Problem& p = plan.problem;
  if (plan.algorithm == Algorithm::empty) return nullptr;
  const ForwardLaunch launch = plan_launch(p, kernels::plain_variant(p), plan.algorithm);
  return runner.forward(plan.algorithm, launch, {input, weight, bias, output, no_borders()});
}

const char* run_grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input,
                           void* workspace, Runner& runner) {
  const Problem& p = plan.problem;
  const InputGradient gradient{plan, static_cast<const char*>(grad_output), static_cast<const char*>(weight), runner};
  Borders borders = no_borders();
  if (has_borders(p)) {
    char* const left = static_cast<char*>(workspace);
    char* const right = left + range_bytes(p, left_border(p));
    if (const char* error = gradient.compute(left_border(p), no_borders(), left)) return error;
    if (const char* error = gradient.compute(right_border(p), no_borders(), right)) return error;
    borders = {p.padding_mode, p.input_length, p.padding_left, p.padding_right, 0, 1, left, right};
  }
  return gradient.compute(kernels::whole_input(p), borders, static_cast<char*>(grad_input));
}

const char* run_grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight,
                            void* grad_bias, void* workspace, Runner& runner) {
  if (plan.algorithm == Algorithm::empty && grad_bias == nullptr) return nullptr;
  const GradWeightLaunch launch = plan_grad_weight_launch(plan.problem);
  char* const parts = static_cast<char*>(workspace);
  char* const bias_parts = parts + weight_parts_bytes(launch);
  if (launch.grid.blocks > 0) {
    const GradWeightArguments arguments{grad_output, input, parts, grad_bias != nullptr ? bias_parts : nullptr};
    if (const char* error = runner.grad_weight(launch, arguments)) return error;
  }
  if (const char* error = runner.sum_parts(plan_weight_sum(launch), {parts, grad_weight})) return error;
  if (grad_bias == nullptr) return nullptr;
  return runner.sum_parts(plan_bias_sum(launch), {bias_parts, grad_bias});
}

}  // namespace tapconv::cuda
