// The tasks of a causal depthwise convolution, for one instruction set and data type.
#pragma once

#include "causal_rows.h"
#include "causal_state.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
void run_causal(const CausalPlan& plan, const CausalOperands& operands, int64_t first_task, int64_t last_task,
                int slot) {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  const CausalCall& call = plan.call;
  CausalRows<Vector, Storage> rows(
      plan, operands,
      reinterpret_cast<Scalar*>(static_cast<char*>(operands.workspace) + plan.slots_at + slot * plan.slot_bytes));
  const CausalState<Storage> state(call, operands);
  for (int64_t task = first_task; task < last_task; ++task) {
    // Times follow each other within the same channels, whose weights stay in their lanes.
    const int64_t begin = task % plan.time_block_count * plan.time_block;
    const int64_t end = begin + plan.time_block < call.length ? begin + plan.time_block : call.length;
    const int64_t rest = task / plan.time_block_count;
    const int64_t first_channel = rest % plan.channel_block_count * plan.channel_block;
    const int64_t left = call.channels - first_channel;
    const int64_t channels = left < plan.channel_block ? left : plan.channel_block;
    const int64_t first_sample = call.updates_state ? 0 : rest / plan.channel_block_count;
    const int64_t last_sample = call.updates_state ? call.batch : first_sample + 1;
    rows.take_channels(first_channel, channels);
    for (int64_t sample = first_sample; sample < last_sample; ++sample) {
      const int64_t row = operands.state_indices ? operands.state_indices[sample] : sample;
      if (row < 0) {
        rows.write_zeros(sample, begin, end);
        continue;
      }
      rows.sum(sample, row, begin, end);
      if (call.updates_state) state.update(sample, row, first_channel, channels);
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels
