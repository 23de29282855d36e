#include "causal.h"

#include <algorithm>

#include "kernels/core/blocking.h"
#include "kernels/core/tasks.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {
namespace {

// Channels of a task: some cache lines of neighbouring channels, a multiple of every vector's width.
constexpr int64_t max_channel_block = 128;
// Times of a task: so many that bringing the weights into the lanes weighs little, so few that short batches of long
// signals keep every slot busy.
constexpr int64_t max_time_block = 1024;
// For CausalRows: lanes of a vector at the most, and the outputs whose windows are gathered together.
constexpr int64_t widest_vector = 16;
constexpr int64_t times_together = 4;

}  // namespace

CausalPlan plan_causal(const CausalCall& call, int slots) {
  CausalPlan plan{};
  plan.call = call;
  plan.channel_block = std::min(max_channel_block, rounded_up(call.channels, widest_vector));
  plan.channel_block_count = ceil_div(call.channels, plan.channel_block);
  plan.time_block = call.updates_state ? call.length : std::min(call.length, max_time_block);
  plan.time_block_count = ceil_div(call.length, plan.time_block);
  plan.task_count = plan.time_block_count * plan.channel_block_count * (call.updates_state ? 1 : call.batch);
  plan.slots = static_cast<int>(std::min<int64_t>(slots, plan.task_count));
  plan.slots_at = workspace_with_counter().end();
  const int64_t numbers = plan.channel_block * (call.width + 1) + (1 + call.width + times_together) * widest_vector;
  plan.slot_bytes = aligned_bytes(numbers * int64_t(sizeof(double)));
  plan.workspace_bytes = plan.slots_at + static_cast<size_t>(plan.slots) * plan.slot_bytes;
  return plan;
}

void causal(const CausalPlan& plan, const CausalOperands& operands, const InstructionSet& instruction_set,
            const Parallel& parallel) {
  run_all(instruction_set.table()->causal[static_cast<int>(plan.call.data_type)], plan, operands, parallel);
}

}  // namespace tapconv::kernels
