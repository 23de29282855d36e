#include "dot_plan.h"

#include "kernels/core/blocking.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

// Register tiles leave lanes empty below a vector of outputs, but share each weight among all of them: on the machines
// measured, dot products win up to half a vector, up to five eighths where the columns are one block, so that weights
// are read once, up to a whole vector of several samples, and for a single output, whose row would be gathered sample
// by sample.
constexpr int64_t max_eighths_of_a_vector = 4;
constexpr int64_t max_eighths_in_one_block = 5;
constexpr int64_t columns_bytes = 128 * 1024;
// Short tiles take the outputs of one sample, down to an eighth of a vector where weights come from beyond the
// second-level cache: they read few columns and fetch weights ahead, but dot products add up with fewer loads.
constexpr int64_t far_weight_bytes = 5 * 1024 * 1024;

// Rows of many samples cannot be copied by vectors where samples are skipped, but columns are gathered in little more
// time than without: there dot products win up to two vectors of outputs, unless there are so many output channels, for
// which a row is copied once, or so few input channels that hardly any is, or a sample goes to the columns of many
// outputs.
constexpr int64_t max_gathered_outputs = 16;
constexpr int64_t max_out_channels_of_gathered = 128;
constexpr int64_t min_in_channels_of_gathered = 4;
constexpr int64_t max_columns_of_a_sample = 4;
// Else outputs of samples that fill more than a vector are shared by register tiles, unless there are so few of each.
constexpr int64_t max_outputs_of_many_samples = 2;
constexpr int64_t max_out_channels_of_many_samples = 32;

// Rows cost a fixed time for each channel, lanes over channels a time for each output and tap. Measured on AVX2 and
// AVX-512, they break even near these.
constexpr int64_t max_channel_lane_outputs = 64;
constexpr int64_t max_channel_lane_products = 1000;

template <class Plan>
Plan begin_plan(const Problem& p, const ForwardVariant& variant, const InstructionSet& instruction_set, int slots) {
  Plan plan{};
  plan.problem = p;
  plan.variant = variant;
  plan.instruction_set = &instruction_set;
  plan.slots = slots_worth(p, std::max(slots, 1));
  return plan;
}

void lay_out(int64_t slot_bytes, Call& call) {
  call.slots = static_cast<int>(std::min<int64_t>(call.slots, call.task_count));
  lay_out_slots(workspace_with_counter(), aligned_bytes(slot_bytes), call);
}

bool is_plain(const Problem& problem, const ForwardVariant& variant) {
  return writes_in_order(problem, variant) && !variant.wide_output;
}

constexpr Declined no_outputs = {"there is no output"};
constexpr Declined not_plain = {"it writes sums in order and in the type of the samples only"};

}  // namespace

Answer<ChannelLanePlan> plan_channel_lanes(const Problem& p, const ForwardVariant& variant,
                                           const InstructionSet& instruction_set, int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  if (has_no_outputs(p)) return no_outputs;
  if (!is_plain(p, variant)) return not_plain;
  if (p.groups != p.in_channels || p.groups != p.out_channels) return Declined{"the filters are not depthwise"};
  if (p.in_channels < width) return Declined{"the channels do not fill a vector"};
  if (p.kernel_size < 1 || p.output_length > max_channel_lane_outputs ||
      p.output_length * p.kernel_size > max_channel_lane_products || positions_read(p) > max_channel_lane_positions) {
    return Declined{"there are too many outputs, taps or samples between them for the pointers it keeps"};
  }
  if (p.input_length > positions_read(p) + p.stride) return Declined{"most of the input is not read"};
  auto plan = begin_plan<ChannelLanePlan>(p, variant, instruction_set, slots);
  plan.vector_count = ceil_div(p.in_channels, width);
  plan.task_count = p.batch * plan.vector_count;
  // Padding may copy from anywhere in the input, zeros from nowhere.
  const bool anywhere = p.padding_mode != PaddingMode::zeros;
  const int64_t samples = anywhere ? p.input_length : std::min(positions_read(p), p.input_length);
  const int64_t vectors = 1 + p.kernel_size + p.output_length + samples;
  lay_out(vectors * width * element, plan);
  return plan;
}

Answer<DotPlan> plan_dot(const Problem& p, const ForwardVariant& variant, const InstructionSet& instruction_set,
                         int slots) {
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t length = group_in * p.kernel_size;
  if (has_no_outputs(p)) return no_outputs;
  if (!is_plain(p, variant)) return not_plain;
  if (p.weight_strides.tap != 1 || (group_in > 1 && p.weight_strides.in_channel != p.kernel_size)) {
    return Declined{"the weights of an output channel do not lie side by side"};
  }
  if (group_out < 2) return Declined{"a group has a single output channel"};
  if (length < width) return Declined{"the weights of an output channel do not fill a vector"};
  const int64_t column_stride = rounded_up(length, width);
  const int64_t fitting = columns_bytes / (column_stride * element);
  const int64_t positions = p.batch * p.output_length;
  const int64_t block = std::min(std::max(fitting / dot_columns, int64_t(1)) * dot_columns, positions);
  const int64_t max_eighths = block == positions ? max_eighths_in_one_block : max_eighths_of_a_vector;
  // Sums of pairs and of matrices take half the time of others or less, and no such rule was measured for them.
  const bool own_type = computes_in_own_type(p.data_type);
  const bool is_gathered = own_type && p.batch > 1 && p.stride > 1 &&
                           p.kernel_size <= max_columns_of_a_sample * p.stride &&
                           group_out <= max_out_channels_of_gathered && group_in >= min_in_channels_of_gathered;
  const int64_t max_outputs = is_gathered ? std::min(max_gathered_outputs, 2 * width) : max_eighths * width / 8;
  if (p.output_length > max_outputs) return Declined{"a sample has too many outputs"};
  if (p.batch == 1 && own_type) {
    const int pairs = short_tile_pairs(p.output_length, width);
    const bool is_far = p.out_channels * length * element > far_weight_bytes;
    if (pairs > 0 && (pairs < largest_short_tile_pairs || is_far)) return Declined{"short register tiles are faster"};
  }
  const bool is_few =
      own_type && p.output_length <= max_outputs_of_many_samples && group_out <= max_out_channels_of_many_samples;
  if (p.output_length > 1 && positions > width && !is_gathered && !is_few) {
    return Declined{"the outputs of all samples fill more than a vector"};
  }

  auto plan = begin_plan<DotPlan>(p, variant, instruction_set, slots);
  plan.column_stride = column_stride;
  plan.column_block = block;
  plan.column_block_count = ceil_div(positions, block);
  const int64_t others = p.groups * plan.column_block_count;
  const int64_t parts = plan.slots > 1 ? ceil_div(plan.slots * tasks_per_slot, others) : 1;
  plan.out_block = rounded_up(ceil_div(group_out, parts), dot_rows(instruction_set.register_count));
  plan.out_block_count = ceil_div(group_out, plan.out_block);
  plan.task_count = others * plan.out_block_count;
  lay_out((plan.column_block * plan.column_stride + width) * element, plan);
  return plan;
}

}  // namespace tapconv::kernels
