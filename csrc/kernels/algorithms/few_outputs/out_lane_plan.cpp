#include "out_lane_plan.h"

#include "few_outputs_cost.h"
#include "kernels/core/blocking.h"
#include "kernels/core/forward_variant.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

// Weights are read once for each register tile of times.
constexpr int64_t max_outputs = 64;
constexpr int64_t max_row_bytes = 8 * 1024;
constexpr int64_t l1_rows_bytes = 20 * 1024;

int64_t width_of(const Problem& p, const InstructionSet& instruction_set) {
  return instruction_set.vector_bytes / compute_bytes(p.data_type);
}

}  // namespace

int64_t out_lane_weight_bytes(const Problem& p, const InstructionSet& instruction_set) {
  const int64_t width = width_of(p, instruction_set);
  return p.groups * rounded_up(p.out_channels / p.groups, width) * (p.in_channels / p.groups) * p.kernel_size *
         compute_bytes(p.data_type);
}

Answer<OutLanePlan> plan_out_lanes(const Problem& p, const InstructionSet& instruction_set, int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = width_of(p, instruction_set);
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  if (has_no_outputs(p) || group_in == 0 || p.kernel_size == 0) return Declined{"there is nothing to sum"};
  if (p.output_length > max_outputs) return Declined{"a sample has too many outputs"};
  if (group_out < width) return Declined{"the output channels of a group do not fill a vector"};
  const RegisterTiles& tiles = register_tiles(instruction_set.register_count);
  OutLanePlan plan{};
  plan.problem = p;
  plan.variant = plain_variant(p);
  plan.instruction_set = &instruction_set;
  plan.slots = slots_worth(p, std::max(slots, 1));
  plan.rows = choose_segments(p, p.output_length + width);
  // Checked before it is used: a dilation may be as long as the input.
  constexpr Declined row_too_long = {"a row would not fit in the first-level cache"};
  if (span_of(plan.rows) > max_row_bytes / element) return row_too_long;
  choose_row_length(plan.rows, p.output_length, width, element);
  const int64_t row_bytes = plan.rows.row_length * element;
  if (row_bytes > max_row_bytes) return row_too_long;
  plan.channel_block = even_block(group_in, std::clamp<int64_t>(l1_rows_bytes / row_bytes, 1, group_in));
  plan.channel_block_count = ceil_div(group_in, plan.channel_block);
  plan.tile_row_count = ceil_div(p.output_length, tiles.rows);
  plan.tile_rows = static_cast<int>(ceil_div(p.output_length, plan.tile_row_count));

  const int64_t vectors = ceil_div(group_out, width);
  const int64_t others = p.batch * p.groups;
  const int64_t wanted = plan.slots > 1 ? ceil_div(plan.slots * tasks_per_slot, others) : 1;
  plan.out_block = rounded_up(ceil_div(vectors, wanted), tiles.columns[plan.tile_rows]);
  plan.out_block = std::min(plan.out_block, vectors);
  plan.out_block_count = ceil_div(vectors, plan.out_block);
  plan.task_count = others * plan.out_block_count;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));

  plan.partial_stride = plan.out_block * width + cache_line_bytes / element;
  Workspace workspace = workspace_with_counter();
  plan.offset_table_at = workspace.reserve(plan.channel_block * p.kernel_size * 4);
  Workspace slot;
  slot.reserve(plan.channel_block * row_bytes);
  plan.slot_partial_at = slot.reserve(p.output_length * plan.partial_stride * element);
  lay_out_slots(workspace, slot.end() + cache_line_bytes, plan);
  plan.cost = out_lane_cost(plan);
  return plan;
}

}  // namespace tapconv::kernels
