// The gradient by the input is a forward problem with flipped, transposed weights. Where a stride skipped positions,
// the input positions of one residue (modulo the stride) form one such problem each, with the taps that reach them, so
// no zero-stuffed gradient is ever made. With a padding mode other than zeros the gradients of the padded positions,
// found in the same way, are added to the samples that they were copied from.
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "conv1d.h"
#include "planner.h"
#include "rows.h"
#include "tasks.h"

namespace tapconv::kernels {
namespace {

// Samples per channel block of border gradients held at a time.
constexpr int64_t border_bytes = 1024 * 1024;
constexpr size_t alignment = 64;

int64_t element_bytes(DataType data_type) {
  switch (data_type) {
    case DataType::float32:
      return 4;
    case DataType::float64:
      return 8;
    case DataType::bfloat16:
    case DataType::float16:
      return 2;
  }
  return 0;
}

const void* advance(const void* base, int64_t elements, DataType data_type) {
  return static_cast<const char*>(base) + elements * element_bytes(data_type);
}
void* advance(void* base, int64_t elements, DataType data_type) {
  return static_cast<char*>(base) + elements * element_bytes(data_type);
}

// Input positions [begin, end) of samples [first_sample, first_sample + samples), written at `strides`.
struct Range {
  int64_t begin;
  int64_t end;
  int64_t samples;
  ActivationStrides strides;
};

// The forward problem for the positions begin + residue, begin + residue + stride, ... of a range.
struct Residue {
  Problem problem;
  int64_t weight_group_stride;
  int64_t weight_offset;  // elements from the weight's start to the first tap used, which is the last of the original
};

Residue residue_of(const Problem& p, const Range& range, int64_t residue) {
  const int64_t first = range.begin + residue;
  const int64_t period = p.stride / std::gcd(p.stride, p.dilation);
  // Tap k reaches position `first` from output (first + padding_left - k * dilation) / stride, if that is whole.
  const int64_t candidates = std::min(period, p.kernel_size);
  int64_t first_tap = 0;
  while (first_tap < candidates && (first + p.padding_left - first_tap * p.dilation) % p.stride != 0) ++first_tap;
  const int64_t taps = first_tap < candidates ? (p.kernel_size - 1 - first_tap) / period + 1 : 0;
  const int64_t last_tap = first_tap + (taps - 1) * period;

  Residue result;
  Problem& q = result.problem;
  q.data_type = p.data_type;
  q.padding_mode = PaddingMode::zeros;
  q.algorithm = p.algorithm;
  q.batch = range.samples;
  q.in_channels = p.out_channels;
  q.input_length = p.output_length;
  q.out_channels = p.in_channels;
  q.kernel_size = taps;
  q.stride = 1;
  q.dilation = period * p.dilation / p.stride;
  q.padding_left = taps > 0 ? -(first + p.padding_left - last_tap * p.dilation) / p.stride : 0;
  q.groups = p.groups;
  q.output_length = (range.end - first + p.stride - 1) / p.stride;
  q.padding_right = 0;
  q.input_strides = p.output_strides;
  q.output_strides = {range.strides.batch, range.strides.channel, range.strides.time * p.stride};
  q.weight_strides = {p.weight_strides.in_channel, p.weight_strides.out_channel, -period * p.weight_strides.tap};
  result.weight_group_stride = p.out_channels / p.groups * p.weight_strides.out_channel;
  result.weight_offset = taps > 0 ? last_tap * p.weight_strides.tap : 0;
  return result;
}

int64_t residue_count(const Problem& p, const Range& range) {
  return std::min(p.stride, std::max<int64_t>(range.end - range.begin, 0));
}

Plan plan_residue(const Residue& residue, const InstructionSet& instruction_set, int slots) {
  return decide_forward(residue.problem, residue.weight_group_stride, instruction_set, slots);
}

size_t range_workspace(const Problem& p, const Range& range, const InstructionSet& instruction_set, int slots) {
  size_t most = 0;
  for (int64_t r = 0; r < residue_count(p, range); ++r) {
    most = std::max(most, plan_residue(residue_of(p, range, r), instruction_set, slots).workspace_bytes);
  }
  return most;
}

void compute_range(const Plan& plan, const Range& range, const void* grad_output, const void* weight, void* to,
                   void* workspace, const Parallel& parallel) {
  const Problem& p = plan.problem;
  for (int64_t r = 0; r < residue_count(p, range); ++r) {
    const Residue residue = residue_of(p, range, r);
    forward(plan_residue(residue, *plan.instruction_set, plan.slots), grad_output,
            advance(weight, residue.weight_offset, p.data_type), nullptr,
            advance(to, r * range.strides.time, p.data_type), workspace, parallel);
  }
}

Range whole_input(const Problem& p) { return {0, p.input_length, p.batch, p.input_strides}; }

// The padded positions on one side, for as many samples as fit the border buffer.
Range border(const Problem& p, bool left) {
  const int64_t length = left ? p.padding_left : p.padding_right;
  const int64_t begin = left ? -p.padding_left : p.input_length;
  const int64_t sample_bytes = std::max<int64_t>(length * p.in_channels * element_bytes(p.data_type), 1);
  const int64_t samples = std::clamp<int64_t>(border_bytes / sample_bytes, 1, std::max<int64_t>(p.batch, 1));
  return {begin, begin + std::max<int64_t>(length, 0), samples, {p.in_channels * length, length, 1}};
}

size_t border_size(const Problem& p, const Range& range) {
  const size_t bytes = static_cast<size_t>(range.samples * range.strides.batch * element_bytes(p.data_type));
  return (bytes + alignment - 1) / alignment * alignment;
}

template <class Storage>
void add_border(const Problem& p, const Range& range, const void* border_gradient, void* grad_input) {
  for (int64_t n = 0; n < range.samples; ++n) {
    for (int64_t c = 0; c < p.in_channels; ++c) {
      const Storage* from =
          static_cast<const Storage*>(border_gradient) + n * range.strides.batch + c * range.strides.channel;
      Storage* to = static_cast<Storage*>(grad_input) + n * p.input_strides.batch + c * p.input_strides.channel;
      for (int64_t i = range.begin; i < range.end; ++i) {
        Storage& sample = to[source_of(i, p) * p.input_strides.time];
        narrow(widen(sample) + widen(from[i - range.begin]), &sample);
      }
    }
  }
}

void add_border(const Problem& p, const Range& range, const void* border_gradient, void* grad_input) {
  switch (p.data_type) {
    case DataType::float32:
      return add_border<float>(p, range, border_gradient, grad_input);
    case DataType::float64:
      return add_border<double>(p, range, border_gradient, grad_input);
    case DataType::bfloat16:
      return add_border<BFloat16>(p, range, border_gradient, grad_input);
    case DataType::float16:
      return add_border<Float16>(p, range, border_gradient, grad_input);
  }
}

bool has_borders(const Problem& p) { return p.padding_mode != PaddingMode::zeros && p.input_length > 0; }

}  // namespace

Plan plan_grad_input(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  Plan plan{};
  plan.problem = problem;
  plan.instruction_set = &instruction_set;
  plan.algorithm = Algorithm::tap;
  plan.slots = slots;
  size_t borders = 0;
  size_t workspace = range_workspace(problem, whole_input(problem), instruction_set, slots);
  if (has_borders(problem)) {
    for (const bool left : {true, false}) {
      const Range range = border(problem, left);
      borders = std::max(borders, border_size(problem, range));
      workspace = std::max(workspace, range_workspace(problem, range, instruction_set, slots));
    }
  }
  plan.border_bytes = borders;
  plan.workspace_bytes = borders + workspace;
  return plan;
}

void grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input, void* workspace,
                const Parallel& parallel) {
  const Problem& p = plan.problem;
  char* const rest = static_cast<char*>(workspace) + plan.border_bytes;
  compute_range(plan, whole_input(p), grad_output, weight, grad_input, rest, parallel);
  if (!has_borders(p)) return;
  for (const bool left : {true, false}) {
    Range range = border(p, left);
    if (range.begin == range.end) continue;
    for (int64_t n = 0; n < p.batch; n += range.samples) {
      range.samples = std::min(range.samples, p.batch - n);
      compute_range(plan, range, advance(grad_output, n * p.output_strides.batch, p.data_type), weight, workspace, rest,
                    parallel);
      add_border(p, range, workspace, advance(grad_input, n * p.input_strides.batch, p.data_type));
    }
  }
}

}  // namespace tapconv::kernels
