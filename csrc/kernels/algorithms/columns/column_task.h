// What both gradients by columns know of a call, and which input channels each of its tasks has.
#pragma once

#include "column_plan.h"
#include "kernels/core/tile_grid.h"

namespace tapconv::kernels {
namespace {

class ColumnTasks {
 protected:
  ColumnTasks(const ColumnPlan& plan, void* workspace, int slot)
      : plan_(plan),
        group_in_(plan.problem.in_channels / plan.problem.groups),
        group_out_(plan.problem.out_channels / plan.problem.groups),
        outputs_(plan.problem.batch * plan.problem.output_length),
        offsets_(reinterpret_cast<const int32_t*>(static_cast<char*>(workspace) + plan.offset_table_at)),
        own_(slot_memory(plan, workspace, slot)) {}

  int64_t group_of(int64_t task) const { return task / plan_.channel_block_count; }

  // The channels are counted within the group.
  Share channels_of(int64_t task) const {
    return share_of(task % plan_.channel_block_count, plan_.channel_block_count, group_in_);
  }

  const ColumnPlan& plan_;
  const int64_t group_in_;
  const int64_t group_out_;
  const int64_t outputs_;
  const int32_t* const offsets_;
  char* const own_;  // the slot's piece of the workspace
};

}  // namespace
}  // namespace tapconv::kernels
