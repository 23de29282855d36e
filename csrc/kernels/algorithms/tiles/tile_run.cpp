#include "tile_run.h"

#include <algorithm>
#include <numeric>

#include "kernels/algorithms/direct/direct_run.h"
#include "kernels/core/blocking.h"
#include "kernels/core/forward_task.h"
#include "kernels/core/tasks.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/numbers/filter_kinds.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {

void transform_all_filters(const TilePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const TileKernels& kernels = plan.instruction_set->table()->tiles[static_cast<int>(plan.problem.data_type)];
  run_tasks(
      parallel, plan.slots, plan.problem.groups * plan.tile_row_count, operands.workspace,
      [&](int64_t first, int64_t last, int slot) { kernels.transform_weights(plan, operands, first, last, slot); });
}

void bring_all_filters_into_lanes(const TilePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const Problem& p = plan.problem;
  const TileKernels& kernels = plan.instruction_set->table()->tiles[static_cast<int>(p.data_type)];
  const int64_t width = plan.instruction_set->vector_bytes / compute_bytes(p.data_type);
  run_tasks(
      parallel, plan.slots, p.out_channels / width, operands.workspace,
      [&](int64_t first, int64_t last, int slot) { kernels.bring_into_lanes(plan, operands, first, last, slot); });
}

namespace {

// Says whether a task of the fallback writes outputs that tiles must not compute.
bool is_flagged(const TilePlan& plan, int64_t number, const char* flags, const FilterKind* kinds) {
  const TileBlocks& tiles = plan.tiles;
  const DirectPlan& direct = plan.fallback;
  const ForwardTask task(direct, number);
  const int64_t group_out = plan.problem.out_channels / plan.problem.groups;
  const int64_t first = task.begin / (tiles.outputs * tiles.dilation_phases);
  const int64_t last = (task.begin + task.count - 1) / (tiles.outputs * tiles.dilation_phases);
  const char* const row = flags + 1 + (task.group * plan.problem.batch + task.sample) * tiles.tiles_per_phase;
  const int bits = std::accumulate(row + first, row + last + 1, 0, [](int all, char flag) { return all | flag; });
  if ((bits & uneven_tile) != 0) return true;
  const int64_t tile = task.out_block * direct.out_block;
  const int64_t last_tile = std::min(tile + direct.out_block, direct.tile_row_count);
  const auto first_out = [&](int64_t i) {
    return task.group * group_out + share_of(i, direct.tile_row_count, group_out).first;
  };
  return std::any_of(kinds + first_out(tile), kinds + first_out(last_tile), [&](FilterKind kind) {
    return kind == FilterKind::single_taps || (kind == FilterKind::whole && (bits & whole_tile) != 0);
  });
}

}  // namespace

// Tiles whose numbers must not be transformed together, and filters whose sums have to be exact, are left to the direct
// sum.
void run_tiles(const TilePlan& plan, ForwardOperands operands, const Parallel& parallel) {
  const TileKernels& kernels = plan.instruction_set->table()->tiles[static_cast<int>(plan.problem.data_type)];
  char* const memory = static_cast<char*>(operands.workspace);
  char* const flags = memory + plan.tiles.flags_at;
  const int64_t flag_count = 1 + plan.problem.groups * plan.problem.batch * plan.tiles.tiles_per_phase;
  std::fill_n(flags, flag_count, char(0));
  std::fill_n(memory + plan.tiles.peaks_at, plan.slots * plan.tiles.shared_groups, char(0));
  FilterKind* const kinds = reinterpret_cast<FilterKind*>(memory + plan.tiles.kinds_at);
  const bool all_ordinary = !find_filter_kinds(plan.problem, plan.variant, operands.weight, kinds);
  int32_t* const offsets = reinterpret_cast<int32_t*>(memory + plan.offset_table_at);
  const int64_t distance = has_filter_lanes(plan.tiles) ? plan.tile_rows : plan.tiles.block_tiles;
  fill_even_offsets(offsets, plan.channel_block, distance);
  if (operands.bias != nullptr) kernels.prepare_bias(plan, operands);
  const auto each_slot = [&](int64_t count, const auto& body) { run_tasks(parallel, plan.slots, count, memory, body); };
  if (shares_tiles(plan.tiles)) {
    for (int64_t block = 0; block < plan.tiles.block_count; ++block) {
      // Channels are counted by those whose tiles share a vector.
      const int64_t group_in = plan.problem.in_channels / plan.problem.groups / plan.tiles.channels_together;
      for (int64_t group = 0; group < plan.problem.groups; group += plan.tiles.shared_groups) {
        const int64_t groups = std::min(plan.tiles.shared_groups, plan.problem.groups - group);
        each_slot(groups * group_in, [&](int64_t first, int64_t last, int slot) {
          kernels.transform_inputs(plan, operands, block, group * group_in + first, group * group_in + last, slot);
        });
        for (int64_t i = 0; i < groups; ++i) kernels.flag_shared_tiles(plan, operands, block, group + i);
        each_slot(groups * plan.out_block_count, [&](int64_t first, int64_t last, int slot) {
          const int64_t task = group * plan.out_block_count;
          kernels.multiply(plan, operands, block, task + first, task + last, slot);
        });
      }
    }
  } else {
    if (!plan.packed_ahead) {
      operands.packed_weight = memory + plan.packed_weight_at;
      transform_all_filters(plan, operands, parallel);
    }
    each_slot(plan.task_count,
              [&](int64_t first, int64_t last, int slot) { kernels.run_tasks(plan, operands, first, last, slot); });
  }
  if (all_ordinary && std::all_of(flags, flags + flag_count, [](char flag) { return flag == 0; })) return;
  const bool weights_fit = flags[0] == 0;
  ForwardOperands remaining = operands;
  remaining.workspace = memory + plan.tiles.fallback_at;
  run_direct(plan.fallback, remaining, parallel,
             [&](int64_t task) { return !weights_fit || is_flagged(plan, task, flags, kinds); });
}

}  // namespace tapconv::kernels
