#include "direct_plan.h"

#include <algorithm>

#include "direct_cost.h"
#include "kernels/algorithms/matrix/matrix_plan.h"
#include "kernels/core/blocking.h"
#include "kernels/core/row_layout.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t l1_rows_bytes = 20 * 1024;          // what one register tile reads of the rows, for all its channels
constexpr int64_t l2_weight_bytes = 256 * 1024;       // the packed weights that one block of channels sweeps over
constexpr int64_t l2_partial_bytes = 256 * 1024;      // a block of partial sums
constexpr int64_t l2_interleaved_bytes = 384 * 1024;  // samples of short tiles, beside which nothing has to last
// A register tile loads and stores its sums once for each block of channels. So many (channel, tap) pairs make that
// small beside the multiplications.
constexpr int64_t min_pairs_per_block = 96;

// Weights that no more column tiles use than this are read where they lie. Six to eight rows of them are as many
// streams that prefetchers follow, and packing them would take as long as one use or more. Where they were packed
// before the call, that is paid for.
constexpr int64_t max_uses_unpacked = 30;
constexpr int64_t max_uses_unpacked_ahead = 8;

// A block of the fallback has so many outputs: not many more than one tile, for the sake of which it runs, and enough
// that its rows and weights pay.
constexpr int64_t fallback_time = 128;

// Outputs that are longer than this leave hardly any lanes empty.
constexpr int64_t max_folded_vectors = 8;

class DirectPlanner {
 public:
  DirectPlanner(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set, int slots,
                bool packed_ahead, bool folded, int64_t max_time = INT64_MAX)
      : p_(problem),
        max_time_(max_time),
        batch_(folded ? 1 : problem.batch),
        length_(folded ? problem.batch * problem.output_length : problem.output_length),
        tiles_(register_tiles(instruction_set.register_count)),
        element_(compute_bytes(problem.data_type)),
        width_(instruction_set.vector_bytes / element_),
        group_out_(problem.out_channels / problem.groups),
        row_channels_(row_channels_of(problem, instruction_set)),
        group_in_(ceil_div(problem.in_channels / problem.groups, row_channels_)) {
    plan_.row_channels = row_channels_;
    plan_.folded = folded;
    plan_.problem = problem;
    plan_.variant = variant;
    plan_.instruction_set = &instruction_set;
    plan_.slots = std::max(slots, 1);
    plan_.packed_ahead = packed_ahead;
  }

  DirectPlan plan() {
    if (has_no_outputs(p_)) return plan_;
    choose_tiles();
    choose_row_layout();
    choose_weights();
    choose_channel_block();
    choose_time_and_out_blocks();
    choose_depthwise_path();
    choose_data_paths();
    lay_out_workspace();
    return plan_;
  }

 private:
  void choose_tiles() {
    plan_.tile_row_count = ceil_div(group_out_, tiles_.rows);
    plan_.tile_rows = static_cast<int>(ceil_div(group_out_, plan_.tile_row_count));
    tile_time_ = tiles_.columns[plan_.tile_rows] * width_;
  }

  void choose_row_layout() {
    if (plan_.folded) {
      plan_.rows.segment_count = std::max<int64_t>(p_.kernel_size, 1);
      plan_.rows.taps_per_segment = 1;
    } else {
      plan_.rows = choose_segments(p_, std::min<int64_t>(length_, 4 * tile_time_) + width_);
    }
    span_ = span_of(plan_.rows);
  }

  void choose_weights() {
    // Weights in the compute type that lie as a row for each output channel can be used where they lie.
    const bool in_place = computes_in_own_type(p_.data_type) && plan_.variant.output_phases == 1 &&
                          p_.weight_strides.tap == 1 &&
                          (group_in_ == 1 || p_.weight_strides.in_channel == p_.kernel_size);
    const int64_t uses = batch_ * ceil_div(length_, tile_time_);
    const int64_t max_uses = plan_.packed_ahead ? max_uses_unpacked_ahead : max_uses_unpacked;
    const bool is_used_often = group_out_ > 1 && uses > max_uses;
    plan_.weight_columns = !in_place && !is_used_often && has_weight_columns();
    plan_.pack_weight = !plan_.weight_columns && (!in_place || is_used_often);
    if (!plan_.pack_weight && !plan_.weight_columns && batch_ == 1 && group_out_ > 1 &&
        group_in_ * p_.kernel_size > 1) {
      plan_.short_tile_pairs = short_tile_pairs(length_, width_);
    }
  }

  // Says whether the weights of one input channel lie side by side, output channel by output channel. They do in
  // gradients of kernels of one tap by the input, and in transposed convolutions whose stride is their kernel or
  // longer.
  bool has_weight_columns() const {
    const WeightStrides& strides = p_.weight_strides;
    const int64_t phases = plan_.variant.output_phases;
    return computes_in_own_type(p_.data_type) && p_.kernel_size == 1 && !plan_.packed_ahead &&
           strides.out_channel == phases && (phases == 1 || plan_.variant.weight_phase_stride == 1);
  }

  // Returns the bytes of the samples of one (channel, tap) pair.
  int64_t interleaved_bytes() const { return 2 * width_ * element_ / plan_.short_tile_pairs; }

  int64_t row_bytes(int64_t time_block) const {
    return plan_.rows.segment_count * (rounded_up(time_block, width_) + span_) * element_;
  }

  void choose_channel_block() {
    const int64_t taps = std::max<int64_t>(p_.kernel_size, 1);
    // A tile reads its own vectors of a row for each tap, or all of the segments if the taps overlap.
    const int64_t per_tap = taps * (tile_time_ * element_ + cache_line_bytes);
    const int64_t footprint = std::min(per_tap, row_bytes(tile_time_) + plan_.rows.segment_count * cache_line_bytes);
    int64_t block = l1_rows_bytes / footprint;
    block = std::max(block, ceil_div(min_pairs_per_block, taps));
    if (plan_.short_tile_pairs > 0) {
      // Blocks of channels begin with the first of the pairs that share a load.
      block = rounded_up(std::max<int64_t>(l2_interleaved_bytes / (taps * interleaved_bytes()), 1),
                         largest_short_tile_pairs);
    }
    block = std::clamp<int64_t>(block, 1, std::max<int64_t>(group_in_, 1));
    plan_.channel_block = group_in_ > 0 ? even_block(group_in_, block) : 1;
    if (plan_.short_tile_pairs > 0)
      plan_.channel_block = std::min(rounded_up(plan_.channel_block, largest_short_tile_pairs), group_in_);
    plan_.channel_block_count = ceil_div(group_in_, plan_.channel_block);
  }

  void choose_time_and_out_blocks() {
    const int64_t taps = std::max<int64_t>(p_.kernel_size, 1);
    const int64_t weight_bytes_per_tile = plan_.tile_rows * plan_.channel_block * taps * element_;
    plan_.out_block = std::clamp<int64_t>(l2_weight_bytes / weight_bytes_per_tile, 1, plan_.tile_row_count);
    plan_.out_block = even_block(plan_.tile_row_count, plan_.out_block);
    // Here no weight is read twice, and each row of weights is read from one end to the other.
    if (plan_.short_tile_pairs > 0 || (length_ <= tile_time_ && plan_.channel_block_count == 1)) {
      plan_.out_block = plan_.tile_row_count;
    }

    // A block has as many outputs as keep its rows and its partial sums in L2.
    const int64_t rows_bytes = group_in_ == 1 && plan_.tile_row_count == 1 ? l1_rows_bytes : l2_rows_bytes;
    int64_t time =
        std::max(rows_bytes / (plan_.channel_block * plan_.rows.segment_count * element_) - span_, 2 * span_);
    if (!writes_directly()) {
      const int64_t out_channels = plan_.out_block * plan_.tile_rows;
      time = std::min(time, l2_partial_bytes / (out_channels * element_));
    }
    time = std::min(time, max_time_);
    time = std::max(time / tile_time_, int64_t(1)) * tile_time_;
    plan_.time_block = std::min(time, length_);

    plan_.slots = slots_worth(p_, plan_.slots);
    const int64_t enough = plan_.slots > 1 ? plan_.slots * tasks_per_slot : 1;
    // With too few tasks, time is cut first, down to two tiles, since that repeats only the overlap of the rows; then
    // output channels.
    int64_t others = batch_ * p_.groups * ceil_div(plan_.tile_row_count, plan_.out_block);
    if (others * ceil_div(length_, plan_.time_block) < enough) {
      const int64_t wanted = ceil_div(enough, others);
      const int64_t shorter = rounded_up(ceil_div(length_, wanted), tile_time_);
      plan_.time_block = std::min(plan_.time_block, std::max({shorter, 2 * tile_time_, 2 * span_}));
    }
    plan_.time_block_count = ceil_div(length_, plan_.time_block);
    // Blocks are made equal, in whole vectors.
    plan_.time_block = std::min(rounded_up(ceil_div(length_, plan_.time_block_count), width_), length_);
    plan_.time_block_count = ceil_div(length_, plan_.time_block);
    others = batch_ * p_.groups * plan_.time_block_count;
    if (others * ceil_div(plan_.tile_row_count, plan_.out_block) < enough) {
      const int64_t wanted = std::min(ceil_div(enough, others), plan_.tile_row_count);
      plan_.out_block = std::min(plan_.out_block, ceil_div(plan_.tile_row_count, wanted));
    }
    plan_.out_block_count = ceil_div(plan_.tile_row_count, plan_.out_block);
    plan_.task_count = others * plan_.out_block_count;
    plan_.slots = static_cast<int>(std::min<int64_t>(plan_.slots, plan_.task_count));

    choose_row_length(plan_.rows, plan_.time_block, width_, element_);
  }

  bool writes_directly() const {
    return (computes_in_own_type(p_.data_type) || plan_.variant.wide_output) && !plan_.folded &&
           writes_in_order(p_, plan_.variant) && p_.output_strides.time == 1;
  }

  void choose_depthwise_path() {
    const bool one_row = group_out_ == 1 && !plan_.folded && plan_.rows.segment_count == 1;
    // Taps a vector apart exist when the dilation divides the vector and the kernel is longer than one period.
    plan_.window_tiles =
        one_row && plan_.rows.tap_distance == p_.dilation && width_ % p_.dilation == 0 && p_.kernel_size >= 5;
    plan_.depthwise_rows = one_row && group_in_ == 1 && !plan_.window_tiles && p_.kernel_size >= 1 &&
                           p_.kernel_size <= max_depthwise_row_taps && p_.stride == 1 && p_.input_strides.time == 1 &&
                           p_.output_strides.time == 1 && writes_in_order(p_, plan_.variant);
  }

  void choose_data_paths() {
    plan_.direct_output = writes_directly() || plan_.depthwise_rows;
    plan_.partial_stride = rounded_up(plan_.time_block, width_) + cache_line_bytes / element_;
  }

  void lay_out_workspace() {
    const int64_t pairs = plan_.channel_block * p_.kernel_size;
    Workspace workspace = workspace_with_counter();
    plan_.offset_table_at = workspace.reserve(pairs * 4);
    plan_.bias_at = workspace.reserve(p_.out_channels * element_);
    const bool packs_in_call = plan_.pack_weight && !plan_.packed_ahead;
    plan_.packed_weight_at =
        workspace.reserve(packs_in_call ? p_.out_channels * group_in_ * p_.kernel_size * element_ : 0);
    const int64_t spare_row = row_channels_ - 1;  // of the second channel of a pair
    Workspace slot;
    slot.reserve((plan_.channel_block + spare_row) * plan_.rows.row_length * element_);
    plan_.slot_partial_at =
        slot.reserve(plan_.direct_output ? 0 : plan_.out_block * plan_.tile_rows * plan_.partial_stride * element_);
    plan_.slot_interleaved_at = slot.reserve(
        plan_.short_tile_pairs > 0 ? rounded_up(pairs, largest_short_tile_pairs) * interleaved_bytes() : 0);
    // Neighbouring slots never share a line that the prefetcher pairs.
    lay_out_slots(workspace, slot.end() + cache_line_bytes, plan_);
  }

  const Problem& p_;
  const int64_t max_time_;  // of a block
  const int64_t batch_;
  const int64_t length_;  // outputs of a row
  const RegisterTiles& tiles_;
  const int64_t element_;
  const int64_t width_;
  const int64_t group_out_;
  const int row_channels_;
  const int64_t group_in_;  // in rows
  int64_t tile_time_ = 0;   // outputs that a full tile covers
  int64_t span_ = 0;        // row elements beyond a block that its last tap reads
  DirectPlan plan_{};
};

DirectPlan plan_sum(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, bool packed_ahead, bool folded, int64_t max_time = INT64_MAX) {
  if (sums_by_matrices(problem, instruction_set)) {
    return plan_matrices(problem, variant, instruction_set, slots, packed_ahead, folded);
  }
  return DirectPlanner(problem, variant, instruction_set, slots, packed_ahead, folded, max_time).plan();
}

}  // namespace

int row_channels_of(const Problem& problem, const InstructionSet& instruction_set) {
  return instruction_set.multiplies_bfloat16_pairs && problem.data_type == DataType::bfloat16 &&
                 problem.in_channels > problem.groups && problem.out_channels > problem.groups
             ? 2
             : 1;
}

DirectPlan plan_direct(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                       int slots, bool packed_ahead) {
  return plan_sum(problem, variant, instruction_set, slots, packed_ahead, /*folded=*/false);
}

DirectPlan plan_fallback(const Call& call) {
  DirectPlan plan = plan_sum(call.problem, call.variant, *call.instruction_set, 1, /*packed_ahead=*/false,
                             /*folded=*/false, fallback_time);
  plan.slots = call.slots;
  plan.workspace_bytes += static_cast<size_t>(plan.slots - 1) * plan.slot_bytes;
  return plan;
}

// Short outputs of several samples fill more of a vector, and share the weights, when they lie side by side.
DirectPlan plan_cheapest_direct(const Problem& p, const ForwardVariant& variant, const InstructionSet& instruction_set,
                                int slots, bool packed_ahead) {
  const DirectPlan direct = plan_direct(p, variant, instruction_set, slots, packed_ahead);
  const int64_t width = instruction_set.vector_bytes / compute_bytes(p.data_type);
  const bool several_short_outputs = p.batch > 1 && p.output_length < max_folded_vectors * width;
  if (has_no_outputs(p) || !several_short_outputs || p.out_channels == p.groups) return direct;
  const DirectPlan folded = plan_sum(p, variant, instruction_set, slots, packed_ahead, /*folded=*/true);
  return direct_cost(folded) < direct_cost(direct) ? folded : direct;
}

}  // namespace tapconv::kernels
