#include "bordered.h"

#include <algorithm>

#include "kernels/core/blocking.h"

namespace tapconv::kernels {
namespace {

// Below this many bytes, a second thread wakes up later than one has copied them.
constexpr int64_t bytes_worth_threads = 256 * 1024;

int64_t gathered_bytes(const Problem& part) {
  return part.batch * part.in_channels * part.input_length * storage_bytes(part.data_type);
}

void* at(void* base, int64_t bytes) { return static_cast<char*>(base) + bytes; }
const void* at(const void* base, int64_t bytes) { return static_cast<const char*>(base) + bytes; }

}  // namespace

BorderPlan plan_bordered_forward(const Problem& problem, const BorderLengths& borders,
                                 const InstructionSet& instruction_set, int (*slots_for)(const Problem& part)) {
  BorderPlan plan{problem, border_parts(problem, borders), {}, 0, 0};
  size_t of_parts = 0;
  for (int i = 0; i < plan.parts.count; ++i) {
    const BorderPart& part = plan.parts.parts[i];
    const Problem own = problem_of(problem, part);
    plan.plans[i] = plan_forward(own, instruction_set, slots_for(own));
    if (part.gathered) plan.part_workspace_at = std::max(plan.part_workspace_at, aligned_bytes(gathered_bytes(own)));
    of_parts = std::max(of_parts, plan.plans[i].workspace_bytes());
  }
  plan.workspace_bytes = plan.part_workspace_at + of_parts;
  return plan;
}

void bordered_forward(const BorderPlan& plan, const BorderedSignal& signal, const void* weight, const void* bias,
                      void* output, void* workspace, const Parallel& parallel) {
  const Problem& problem = plan.problem;
  const int64_t element_bytes = storage_bytes(problem.data_type);
  for (int i = 0; i < plan.parts.count; ++i) {
    const BorderPart& part = plan.parts.parts[i];
    const void* samples = nullptr;
    if (part.gathered) {
      const Problem& own = plan.plans[i].call().problem;
      const int slots = gathered_bytes(own) < bytes_worth_threads ? 1 : parallel.slots;
      gather(signal, problem.batch, problem.in_channels, element_bytes, part.begin, part.end, workspace, slots,
             parallel);
      samples = workspace;
    } else {
      samples = at(signal.input.samples, part.begin * problem.input_strides.time * element_bytes);
    }
    forward(plan.plans[i], samples, weight, bias,
            at(output, part.first_output * problem.output_strides.time * element_bytes),
            at(workspace, static_cast<int64_t>(plan.part_workspace_at)), parallel);
  }
}

}  // namespace tapconv::kernels
