// Carries out a forward plan: tables and bias first, then the weights, then the tasks.
#include "conv1d.h"
#include "kernel_table.h"
#include "offset_table.h"
#include "planner.h"
#include "tasks.h"

namespace tapconv::kernels {
namespace {

// Below this a second thread costs more than packing on one.
constexpr int64_t least_parallel_packing = 64 * 1024;  // elements

}  // namespace

Parallel serial() {
  return {1, [](int slots, void (*body)(void*, int), void* argument) {
            for (int slot = 0; slot < slots; ++slot) body(argument, slot);
          }};
}

Plan plan_forward(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return decide_forward(problem, plain_variant(problem), instruction_set, slots);
}

void forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output, void* workspace,
             const Parallel& parallel) {
  if (plan.algorithm == Algorithm::empty) return;
  const ForwardKernels& kernels = plan.instruction_set->table()->tap[static_cast<int>(plan.problem.data_type)];
  const ForwardOperands operands{input, weight, bias, output, workspace};
  char* const memory = static_cast<char*>(workspace);
  fill_offset_table(plan, reinterpret_cast<int32_t*>(memory + plan.offset_table_at));
  if (bias != nullptr) kernels.prepare_bias(plan, operands);
  if (plan.pack_weight) {
    const Problem& p = plan.problem;
    const int64_t tiles = p.groups * plan.tile_row_count;
    const int64_t elements = p.out_channels * (p.in_channels / p.groups) * p.kernel_size;
    const int slots = elements < least_parallel_packing ? 1 : plan.slots;
    run_tasks(parallel, slots, tiles, memory, [&](int64_t first, int64_t last, int) {
      for (int64_t tile = first; tile < last; ++tile) kernels.pack_tile(plan, operands, tile);
    });
  }
  run_tasks(parallel, plan.slots, plan.task_count, memory,
            [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
}

}  // namespace tapconv::kernels
