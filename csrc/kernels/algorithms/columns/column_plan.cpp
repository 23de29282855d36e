#include "column_plan.h"

#include <optional>

#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/core/blocking.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

// Every output gets a product with every tap, also with those that reach beyond the input, but nothing is packed and
// nothing transposed. These bounds were measured on AVX2 and AVX-512.
constexpr int64_t max_outputs = 32;
constexpr int64_t max_outputs_of_large_weights = 64;
constexpr int64_t large_weight_bytes = 1024 * 1024;
constexpr int64_t min_out_channels = 8;
// Gradients by the input are added up for each column before it goes to its samples. From so many output channels on,
// that is most of the work, and as many outputs as of large weights pay.
constexpr int64_t many_out_channels = 96;
// Where no sample is read by two taps, the direct sum packs nothing either, unless it has to widen the weights.
constexpr int64_t max_outputs_of_single_taps = 8;
// The sums or columns of a task stay in the second-level cache.
constexpr int64_t columns_bytes = 128 * 1024;
constexpr int64_t span_bytes = 64 * 1024;
// The weights of so many output channels are read side by side: as many streams as pages that the first-level table of
// translations holds beside those of the sums.
constexpr int64_t streams = 32;

int64_t outputs_of(const Problem& p) { return p.batch * p.output_length; }

bool has_large_weights(const Problem& p) {
  return p.out_channels * (p.in_channels / p.groups) * p.kernel_size * storage_bytes(p.data_type) >= large_weight_bytes;
}

// Returns why a problem of more than `most` outputs, or another that columns do not suit, is declined, or null if they
// suit it.
const char* reason_to_decline(const Problem& p, int64_t most) {
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t outputs = outputs_of(p);
  if (p.algorithm != AlgorithmRequest::automatic && p.algorithm != AlgorithmRequest::direct) {
    return "transforms are asked for";
  }
  if (outputs == 0 || p.input_length == 0) return "there is no output or no sample";
  if (p.out_channels / p.groups < min_out_channels) return "a group has too few output channels";
  if (outputs > most) return "there are too many outputs";
  const bool in_rows = (p.kernel_size == 1 || p.weight_strides.tap == 1) &&
                       (group_in == 1 || p.weight_strides.in_channel == p.kernel_size);
  return in_rows ? nullptr : "the weights of an output channel do not lie side by side";
}

int64_t max_outputs_of_grad_input(const Problem& p) {
  if (has_large_weights(p)) return max_outputs_of_large_weights;
  if (p.kernel_size <= p.stride && computes_in_own_type(p.data_type)) return max_outputs_of_single_taps;
  return p.out_channels / p.groups >= many_out_channels ? max_outputs_of_large_weights : max_outputs;
}

constexpr Declined too_few_columns = {"a task would have less than a vector of columns, or more than fit in the cache"};

// Divides the input channels among tasks, each with at least a vector of columns. Returns nothing if there are too few
// channels, or if what a task holds of one vector is too much.
std::optional<ColumnPlan> divided(const Problem& p, const InstructionSet& instruction_set, int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t fitting = columns_bytes / (outputs_of(p) * p.kernel_size * element);
  const int64_t least = ceil_div(width, p.kernel_size);
  if (group_in < least || fitting < least) return std::nullopt;
  ColumnPlan plan{};
  plan.problem = p;
  plan.instruction_set = &instruction_set;
  plan.slots = slots_worth(p, std::max(slots, 1));
  const int64_t wanted = plan.slots > 1 ? ceil_div(plan.slots * tasks_per_slot, p.groups) : 1;
  plan.channel_block_count = std::min(std::max(ceil_div(group_in, fitting), wanted), group_in / least);
  plan.channel_block = ceil_div(group_in, plan.channel_block_count);
  plan.task_count = p.groups * plan.channel_block_count;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));
  // There is room for one vector more, since gathering may write it, and a last vector that is not whole has sums of
  // its own.
  plan.column_stride = rounded_up(plan.channel_block * p.kernel_size, width) + width;
  return plan;
}

// Divides `count` rows evenly among register tiles.
void divide_rows(ColumnPlan& plan, int64_t count) {
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  plan.tile_row_count = ceil_div(count, tiles.rows);
  plan.tile_rows = static_cast<int>(ceil_div(count, plan.tile_row_count));
}

}  // namespace

Answer<ColumnPlan> plan_grad_input_columns(const Problem& p, const InstructionSet& instruction_set, int slots) {
  const int64_t element = compute_bytes(p.data_type);
  if (const char* reason = reason_to_decline(p, max_outputs_of_grad_input(p))) return Declined{reason};
  const int64_t span = std::max(positions_read(p), p.input_length + p.padding_left);
  if (span > span_bytes / element) return Declined{"an input channel is too long for the first-level cache"};
  std::optional<ColumnPlan> plan = divided(p, instruction_set, slots);
  if (!plan) return too_few_columns;
  divide_rows(*plan, outputs_of(p));
  plan->out_block = std::min(streams, p.out_channels / p.groups);
  plan->flag_at = 8;  // behind the task counter
  plan->span = span;
  Workspace workspace = workspace_with_counter();
  plan->offset_table_at = workspace.reserve(plan->out_block * 4);
  Workspace slot;
  slot.reserve(plan->out_block * outputs_of(p) * element);
  plan->slot_sums_at = slot.reserve(outputs_of(p) * plan->column_stride * element);
  plan->slot_span_at = slot.reserve(span * element);
  lay_out_slots(workspace, slot.end(), *plan);
  return *plan;
}

Answer<ColumnPlan> plan_grad_weight_columns(const Problem& p, const InstructionSet& instruction_set, int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t most = has_large_weights(p) ? max_outputs_of_large_weights : max_outputs;
  if (const char* reason = reason_to_decline(p, most)) return Declined{reason};
  std::optional<ColumnPlan> plan = divided(p, instruction_set, slots);
  if (!plan) return too_few_columns;
  divide_rows(*plan, p.out_channels / p.groups);
  Workspace workspace = workspace_with_counter();
  plan->offset_table_at = workspace.reserve(outputs_of(p) * 4);
  Workspace slot;
  slot.reserve(outputs_of(p) * plan->column_stride * element);
  plan->slot_gradient_at = slot.reserve(outputs_of(p) * largest_tile_rows * element);
  lay_out_slots(workspace, slot.end(), *plan);
  // Large transforms are compared with this cost. Columns were never priced, but like time lanes, they load for each
  // product.
  plan->cost = time_lane_cost(p, instruction_set);
  return *plan;
}

}  // namespace tapconv::kernels
