// The gradient by the input is a forward problem with flipped, transposed weights (input_gradient.h). With a padding
// mode other than zeros the gradients of the padded positions, found in the same way, are added to the samples that
// they were copied from.
#include <algorithm>
#include <cstring>

#include "input_gradient.h"
#include "kernels/algorithms/columns/column_plan.h"
#include "kernels/algorithms/columns/column_run.h"
#include "kernels/choose.h"
#include "kernels/conv1d.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/numbers/storage.h"
#include "kernels/rows/padding.h"

namespace tapconv::kernels {
namespace {

// No more gradients of padded positions than this are held at a time.
constexpr int64_t border_bytes = 1024 * 1024;

size_t range_workspace(const Problem& p, const InputRange& range, const InstructionSet& instruction_set, int slots) {
  size_t most = 0;
  for (int64_t i = 0; i < forward_problem_count(p, range); ++i) {
    const ForwardProblem forward = forward_problem(p, range, i);
    most = std::max(most, choose_forward(forward.problem, forward.variant, instruction_set, slots).workspace_bytes());
  }
  return most;
}

// Computes the gradients of a range, for `range.samples` samples beginning at `grad_output`.
void compute_range(const GradInputPlan& plan, const InputRange& range, const char* grad_output, const void* weight,
                   char* to, void* workspace, const Parallel& parallel) {
  const Problem& p = plan.problem;
  const int64_t to_bytes = range.wide ? compute_bytes(p.data_type) : storage_bytes(p.data_type);
  if (!reaches_all(p, range)) fill_zeros(p, range, to_bytes, to);
  for (int64_t i = 0; i < forward_problem_count(p, range); ++i) {
    const ForwardProblem lowered = forward_problem(p, range, i);
    forward(choose_forward(lowered.problem, lowered.variant, *plan.instruction_set, plan.slots), grad_output,
            static_cast<const char*>(weight) + lowered.weight_offset * storage_bytes(p.data_type), nullptr,
            to + lowered.output_offset * to_bytes, workspace, parallel);
  }
}

// Returns positions [begin, end) of all channels, packed, in the compute type.
InputRange packed_range(const Problem& p, int64_t begin, int64_t end, int64_t samples) {
  const int64_t length = end - begin;
  return {begin, end, samples, {p.in_channels * length, length, 1}, true};
}

bool has_borders(const Problem& p) {
  return p.padding_mode != PaddingMode::zeros && p.input_length > 0 && p.padding_left + p.padding_right > 0;
}

// Borders are what a block of samples needs: the padded positions on both sides, and the samples that they are copies
// of. With 16-bit types those samples are computed once more, in the wider type, so that the sum is rounded once.
struct Borders {
  InputRange left;
  InputRange right;
  InputRange targets[2];
  int target_count;
  int64_t samples;
};

InputRange targets_of(const Problem& p, bool left) {
  const int64_t length = p.input_length;
  switch (p.padding_mode) {
    case PaddingMode::reflect:
      return left ? packed_range(p, 1, p.padding_left + 1, 0)
                  : packed_range(p, length - 1 - p.padding_right, length - 1, 0);
    case PaddingMode::replicate:
      return left ? packed_range(p, 0, 1, 0) : packed_range(p, length - 1, length, 0);
    case PaddingMode::circular:
      return left ? packed_range(p, length - p.padding_left, length, 0) : packed_range(p, 0, p.padding_right, 0);
    case PaddingMode::zeros:
      break;
  }
  return packed_range(p, 0, 0, 0);
}

size_t range_bytes(const Problem& p, const InputRange& range) {
  return aligned_bytes(range.samples * range.strides.batch * compute_bytes(p.data_type));
}

Borders borders_of(const Problem& p) {
  Borders b{packed_range(p, -p.padding_left, 0, 0),
            packed_range(p, p.input_length, p.input_length + p.padding_right, 0),
            {targets_of(p, true), targets_of(p, false)},
            0,
            0};
  if (p.data_type == DataType::bfloat16 || p.data_type == DataType::float16) {
    b.target_count = 2;
    if (b.targets[0].begin < b.targets[1].end && b.targets[1].begin < b.targets[0].end) {
      b.targets[0] = packed_range(p, std::min(b.targets[0].begin, b.targets[1].begin),
                                  std::max(b.targets[0].end, b.targets[1].end), 0);
      b.target_count = 1;
    }
  }
  int64_t positions = p.padding_left + p.padding_right;
  for (int i = 0; i < b.target_count; ++i) positions += b.targets[i].end - b.targets[i].begin;
  const int64_t sample_bytes = std::max<int64_t>(positions * p.in_channels * compute_bytes(p.data_type), 1);
  b.samples = std::clamp<int64_t>(border_bytes / sample_bytes, 1, std::max<int64_t>(p.batch, 1));
  b.left.samples = b.right.samples = b.targets[0].samples = b.targets[1].samples = b.samples;
  return b;
}

// Adds the border gradient of each position to that of its source, for the sources inside `target`.
template <class Wide, class To>
void add_border(const Problem& p, const InputRange& border, const Wide* gradient, const InputRange& target, To* to) {
  for (int64_t n = 0; n < border.samples; ++n) {
    for (int64_t c = 0; c < p.in_channels; ++c) {
      const Wide* from = gradient + n * border.strides.batch + c * border.strides.channel;
      To* channel = to + n * target.strides.batch + c * target.strides.channel;
      for (int64_t i = border.begin; i < border.end; ++i) {
        const int64_t source = source_of(i, p);
        if (source < target.begin || source >= target.end) continue;
        channel[(source - target.begin) * target.strides.time] += from[i - border.begin];
      }
    }
  }
}

template <class Storage>
void write_target(const Problem& p, const InputRange& target, const ComputeType<Storage>* gradient, Storage* to) {
  for (int64_t n = 0; n < target.samples; ++n) {
    for (int64_t c = 0; c < p.in_channels; ++c) {
      const ComputeType<Storage>* from = gradient + n * target.strides.batch + c * target.strides.channel;
      Storage* channel = to + n * p.input_strides.batch + c * p.input_strides.channel;
      for (int64_t i = target.begin; i < target.end; ++i) {
        narrow(from[i - target.begin], &channel[i * p.input_strides.time]);
      }
    }
  }
}

// Adds the gradients of the padded positions to those of the samples, block by block of samples.
template <class Storage>
void fold_borders(const GradInputPlan& plan, const char* grad_output, const void* weight, Storage* grad_input,
                  char* workspace, const Parallel& parallel) {
  using Wide = ComputeType<Storage>;
  const Problem& p = plan.problem;
  Borders b = borders_of(p);
  char* const forward_workspace = workspace + plan.border_bytes;
  Wide* const left = reinterpret_cast<Wide*>(workspace);
  Wide* const right = reinterpret_cast<Wide*>(workspace + range_bytes(p, b.left));
  Wide* const sums = reinterpret_cast<Wide*>(workspace + range_bytes(p, b.left) + range_bytes(p, b.right));
  for (int64_t n = 0; n < p.batch; n += b.samples) {
    const int64_t samples = std::min(b.samples, p.batch - n);
    b.left.samples = b.right.samples = b.targets[0].samples = b.targets[1].samples = samples;
    const char* const gradient = grad_output + n * p.output_strides.batch * static_cast<int64_t>(sizeof(Storage));
    Storage* const to = grad_input + n * p.input_strides.batch;
    const auto compute = [&](const InputRange& range, Wide* where) {
      compute_range(plan, range, gradient, weight, reinterpret_cast<char*>(where), forward_workspace, parallel);
    };
    compute(b.left, left);
    compute(b.right, right);
    if constexpr (sizeof(Storage) == sizeof(Wide)) {
      const InputRange all = whole_input(p);
      add_border(p, b.left, left, all, to);
      add_border(p, b.right, right, all, to);
    } else {
      for (int i = 0; i < b.target_count; ++i) {
        compute(b.targets[i], sums);
        add_border(p, b.left, left, b.targets[i], sums);
        add_border(p, b.right, right, b.targets[i], sums);
        write_target<Storage>(p, b.targets[i], sums, to);
      }
    }
  }
}

GradInputPlan plan_forward_problems(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  GradInputPlan plan{};
  plan.problem = problem;
  plan.instruction_set = &instruction_set;
  plan.slots = slots;
  size_t workspace = range_workspace(problem, whole_input(problem), instruction_set, slots);
  if (has_borders(problem)) {
    const Borders b = borders_of(problem);
    size_t sums = 0;
    for (int i = 0; i < b.target_count; ++i) {
      sums = std::max(sums, range_bytes(problem, b.targets[i]));
      workspace = std::max(workspace, range_workspace(problem, b.targets[i], instruction_set, slots));
    }
    for (const InputRange& side : {b.left, b.right}) {
      plan.border_bytes += range_bytes(problem, side);
      workspace = std::max(workspace, range_workspace(problem, side, instruction_set, slots));
    }
    plan.border_bytes += sums;
  }
  plan.workspace_bytes = plan.border_bytes + workspace;
  return plan;
}

}  // namespace

Plan plan_grad_input(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  const Answer<ColumnPlan> columns = plan_grad_input_columns(problem, instruction_set, slots);
  if (!columns) return plan_forward_problems(problem, instruction_set, slots);
  GradInputPlan plan = plan_forward_problems(problem, instruction_set, columns->slots);
  plan.by_columns = true;
  plan.columns = *columns;
  plan.task_count = plan.columns.task_count;
  plan.slot_bytes = plan.columns.slot_bytes;
  plan.workspace_bytes = std::max(plan.columns.workspace_bytes, plan.workspace_bytes);
  return plan;
}

void grad_input(const Plan& any_plan, const void* grad_output, const void* weight, void* grad_input, void* workspace,
                const Parallel& parallel) {
  const GradInputPlan& plan = any_plan.grad_input;
  const Problem& p = plan.problem;
  const char* const gradient = static_cast<const char*>(grad_output);
  char* const memory = static_cast<char*>(workspace);
  if (plan.by_columns &&
      run_grad_input_columns(plan.columns, {grad_output, weight, nullptr, grad_input, workspace, nullptr}, parallel)) {
    return;
  }
  compute_range(plan, whole_input(p), gradient, weight, static_cast<char*>(grad_input), memory + plan.border_bytes,
                parallel);
  if (!has_borders(p)) return;
  switch (p.data_type) {
    case DataType::float32:
      return fold_borders(plan, gradient, weight, static_cast<float*>(grad_input), memory, parallel);
    case DataType::float64:
      return fold_borders(plan, gradient, weight, static_cast<double*>(grad_input), memory, parallel);
    case DataType::bfloat16:
      return fold_borders(plan, gradient, weight, static_cast<BFloat16*>(grad_input), memory, parallel);
    case DataType::float16:
      return fold_borders(plan, gradient, weight, static_cast<Float16*>(grad_input), memory, parallel);
  }
}

}  // namespace tapconv::kernels
