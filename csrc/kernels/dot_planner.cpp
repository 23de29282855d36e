#include "dot_planner.h"

#include "blocking.h"
#include "instruction_set.h"
#include "register_tiles.h"

namespace tapconv::kernels {
namespace {

// Register tiles leave lanes empty below a vector of outputs, but share each weight among all of them: on the machines
// measured, dot products win up to half a vector.
constexpr int64_t most_outputs_per_vector_divisor = 2;
constexpr int64_t columns_bytes = 128 * 1024;

}  // namespace

std::optional<Plan> decide_dot(const Problem& p, const ForwardVariant& variant, const InstructionSet& instruction_set,
                               int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t length = group_in * p.kernel_size;
  const bool rows = p.weight_strides.tap == 1 && (group_in == 1 || p.weight_strides.in_channel == p.kernel_size);
  const bool plain = variant.phases == 1 && !variant.wide_output && variant.output_limit == p.output_length;
  if (!rows || !plain || group_out < 2 || length < width || p.batch == 0 || p.output_length == 0) return std::nullopt;
  if (p.output_length * most_outputs_per_vector_divisor > width) return std::nullopt;

  Plan plan{};
  plan.problem = p;
  plan.variant = variant;
  plan.instruction_set = &instruction_set;
  plan.algorithm = Algorithm::dot;
  plan.slots = slots_worth(p, std::max(slots, 1));
  plan.partial_stride = rounded_up(length, width);
  const int64_t fitting = std::max<int64_t>(columns_bytes / (plan.partial_stride * element), 1);
  plan.time_block = std::min(std::max(fitting / dot_columns, int64_t(1)) * dot_columns, p.batch * p.output_length);
  plan.time_block_count = divide_up(p.batch * p.output_length, plan.time_block);
  const int64_t others = p.groups * plan.time_block_count;
  const int64_t parts = plan.slots > 1 ? divide_up(plan.slots * tasks_per_slot, others) : 1;
  plan.out_block = rounded_up(divide_up(group_out, parts), dot_rows(instruction_set.register_count));
  plan.out_block_count = divide_up(group_out, plan.out_block);
  plan.task_count = others * plan.out_block_count;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));
  plan.slots_at = cache_line_bytes;  // the task counter comes first
  plan.slot_bytes = aligned_bytes(plan.time_block * plan.partial_stride * element);
  plan.workspace_bytes = plan.slots_at + static_cast<size_t>(plan.slots) * plan.slot_bytes;
  return plan;
}

}  // namespace tapconv::kernels
