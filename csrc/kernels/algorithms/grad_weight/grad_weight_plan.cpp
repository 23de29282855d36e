#include "grad_weight_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t l2_sums_bytes = 96 * 1024;      // the sums of a task
constexpr int64_t l1_gradient_bytes = 24 * 1024;  // transposed gradient of one panel of output channels
constexpr int64_t max_gradient_block = 128;  // outputs: long sums are made of short ones and lose little to rounding
constexpr int64_t panels_per_task = 4;       // panels that share one copy of the rows
constexpr int64_t time_lane_block = 1024;    // outputs: four rows of gradient and one of input fit L1
// With fewer tasks than this the sums over samples and times are split too, for the threads' sake. As that changes the
// order of summation, it may depend on the problem only.
constexpr int64_t wanted_tasks = 8;
constexpr double min_operations_per_part = 2e6;
constexpr int64_t max_parts_bytes = 2 * 1024 * 1024;

// Returns as many parts of the sums over samples and times as keep threads busy.
int64_t parts_of(const GradWeightPlan& plan) {
  const Problem& p = plan.problem;
  const GradWeightBlocks& blocks = plan.grad_weight;
  const int64_t element = compute_bytes(p.data_type);
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t tasks = p.groups * ceil_div(group_out, plan.out_block) * ceil_div(group_in, plan.channel_block);
  const int64_t weight_bytes = p.out_channels * group_in * p.kernel_size * element;
  int64_t parts = ceil_div(wanted_tasks, tasks);
  parts = std::min(parts, static_cast<int64_t>(operations_of(p) / min_operations_per_part));
  parts = std::min({parts, blocks.steps, max_parts_bytes / weight_bytes});
  return std::max<int64_t>(parts, 1);
}

// Each block of output channels is `others` tasks for each group. There are as many blocks as let all slots end
// together.
void even_out_blocks(GradWeightPlan& plan, int64_t others, int64_t unit) {
  const int64_t group_out = plan.problem.out_channels / plan.problem.groups;
  const int64_t tasks_per_block = others * plan.problem.groups;
  const int64_t whole = plan.slots / std::gcd<int64_t>(tasks_per_block, plan.slots);
  const int64_t blocks = rounded_up(ceil_div(group_out, plan.out_block), whole);
  plan.out_block = std::min(rounded_up(ceil_div(group_out, blocks), unit), plan.out_block);
}

class GradWeightPlanner {
 public:
  GradWeightPlanner(const Problem& problem, const InstructionSet& instruction_set, int slots)
      : p_(problem),
        tiles_(grad_weight_tiles(instruction_set.register_count)),
        element_(compute_bytes(problem.data_type)),
        width_(instruction_set.vector_bytes / element_),
        group_out_(problem.out_channels / problem.groups),
        group_in_(problem.in_channels / problem.groups) {
    plan_.problem = problem;
    plan_.instruction_set = &instruction_set;
    plan_.slots = slots_worth(problem, std::max(slots, 1));
  }

  GradWeightPlan plan() {
    blocks_.channel_lanes = has_channel_lanes(p_, *plan_.instruction_set);
    choose_task();
    choose_time_block();
    divide_grad_weight(plan_);
    lay_out_workspace();
    return plan_;
  }

 private:
  int64_t lanes_of(int64_t out_channels) const {
    return blocks_.channel_lanes ? rounded_up(out_channels, width_) : out_channels;
  }
  // Returns the bytes of one sum while it is in the making.
  int64_t sum_bytes() const { return blocks_.channel_lanes ? element_ : element_ * width_; }

  void choose_task() {
    const int64_t max_out = blocks_.channel_lanes ? panels_per_task * tiles_.columns * width_ : 2 * tiles_.rows;
    plan_.out_block = even_block(group_out_, std::min(group_out_, max_out));
    if (blocks_.channel_lanes) plan_.out_block = std::min(rounded_up(plan_.out_block, width_), group_out_);
    const int64_t channel_bytes = p_.kernel_size * lanes_of(plan_.out_block) * sum_bytes();
    plan_.channel_block = std::clamp<int64_t>(l2_sums_bytes / channel_bytes, 1, group_in_);
    plan_.channel_block = even_block(group_in_, plan_.channel_block);
  }

  void choose_time_block() {
    const int64_t columns = std::min(tiles_.columns, static_cast<int>(ceil_div(plan_.out_block, width_)));
    const int64_t panel_outputs = l1_gradient_bytes / (columns * width_ * element_) / width_ * width_;
    blocks_.gradient_block =
        blocks_.channel_lanes ? std::clamp(panel_outputs, width_, max_gradient_block) : time_lane_block;
    plan_.rows = choose_segments(p_, std::min(p_.output_length, blocks_.gradient_block) + width_);
    const int64_t span = span_of(plan_.rows);
    const int64_t fitting = l2_rows_bytes / (plan_.channel_block * plan_.rows.segment_count * element_) - span;
    const int64_t most = blocks_.channel_lanes ? std::max(fitting, 4 * span) : time_lane_block;
    const int64_t blocks = std::max<int64_t>(most / blocks_.gradient_block, 1);
    plan_.time_block = std::min(blocks * blocks_.gradient_block, std::max<int64_t>(p_.output_length, 1));
    plan_.time_block_count = ceil_div(p_.output_length, plan_.time_block);
    choose_row_length(plan_.rows, plan_.time_block, width_, element_);
    blocks_.steps = p_.batch * plan_.time_block_count;
  }

  void lay_out_workspace() {
    Workspace workspace = workspace_with_counter();
    plan_.offset_table_at = workspace.reserve(plan_.channel_block * p_.kernel_size * 4);
    reserve_grad_weight_parts(plan_, workspace);
    Workspace slot;
    slot.reserve(plan_.channel_block * plan_.rows.row_length * element_);
    const int64_t gradient = blocks_.channel_lanes
                                 ? rounded_up(blocks_.gradient_block, width_) * tiles_.columns * width_
                                 : plan_.out_block * rounded_up(plan_.time_block, width_);
    blocks_.slot_gradient_at = slot.reserve(gradient * element_);
    // There is room for one vector more than the sums, which are zeroed in whole vectors.
    const int64_t sums = plan_.channel_block * p_.kernel_size * blocks_.out_lanes;
    blocks_.slot_sums_at = slot.reserve(sums * sum_bytes() + cache_line_bytes);
    blocks_.slot_bias_at = slot.reserve(rounded_up(plan_.out_block, width_) * width_ * element_);
    lay_out_slots(workspace, slot.end(), plan_);
  }

  const Problem& p_;
  const GradWeightTiles& tiles_;
  const int64_t element_;
  const int64_t width_;
  const int64_t group_out_;
  const int64_t group_in_;
  GradWeightPlan plan_{};
  GradWeightBlocks& blocks_ = plan_.grad_weight;
};

}  // namespace

bool has_no_weights(const Problem& p) {
  return p.out_channels == 0 || p.in_channels / p.groups == 0 || p.kernel_size == 0;
}

bool has_channel_lanes(const Problem& p, const InstructionSet& instruction_set) {
  const int64_t width = instruction_set.vector_bytes / compute_bytes(p.data_type);
  const int64_t group_out = p.out_channels / p.groups;
  return 2 * group_out >= rounded_up(group_out, width);
}

void divide_grad_weight(GradWeightPlan& plan) {
  const Problem& p = plan.problem;
  GradWeightBlocks& blocks = plan.grad_weight;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t width = plan.instruction_set->vector_bytes / compute_bytes(p.data_type);
  const int64_t unit = blocks.channel_lanes ? width : 1;
  blocks.reduction_parts = parts_of(plan);
  const int64_t others = blocks.reduction_parts * p.groups * ceil_div(group_out, plan.out_block);
  const int64_t enough = plan.slots > 1 ? plan.slots * tasks_per_slot : 1;
  if (others * ceil_div(group_in, plan.channel_block) < enough) {
    const int64_t wanted = std::min(ceil_div(enough, others), group_in);
    plan.channel_block = std::min(plan.channel_block, ceil_div(group_in, wanted));
  }
  plan.channel_block_count = ceil_div(group_in, plan.channel_block);
  if (others * plan.channel_block_count < enough)
    even_out_blocks(plan, blocks.reduction_parts * plan.channel_block_count, unit);
  plan.out_block_count = ceil_div(group_out, plan.out_block);
  plan.task_count = blocks.reduction_parts * p.groups * plan.out_block_count * plan.channel_block_count;
  plan.slots = static_cast<int>(std::min<int64_t>(plan.slots, plan.task_count));
  blocks.out_lanes = rounded_up(plan.out_block, unit);
}

void reserve_grad_weight_parts(GradWeightPlan& plan, Workspace& workspace) {
  const Problem& p = plan.problem;
  GradWeightBlocks& blocks = plan.grad_weight;
  const int64_t element = compute_bytes(p.data_type);
  const int64_t parts = blocks.reduction_parts > 1 ? blocks.reduction_parts : 0;
  blocks.parts_at = workspace.reserve(parts * p.out_channels * (p.in_channels / p.groups) * p.kernel_size * element);
  blocks.bias_parts_at = workspace.reserve(parts * p.out_channels * element);
}

GradWeightPlan plan_direct_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return GradWeightPlanner(problem, instruction_set, slots).plan();
}

}  // namespace tapconv::kernels
