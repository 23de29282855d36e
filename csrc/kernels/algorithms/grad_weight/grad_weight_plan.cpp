#include <numeric>
#include <optional>

#include "grad_weight_cost.h"
#include "grad_weight_plan.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/few_outputs/column_plan.h"
#include "kernels/algorithms/tiles/grad_weight_tile_plan.h"
#include "kernels/algorithms/tiles/tile_cut.h"
#include "kernels/core/blocking.h"
#include "kernels/core/instruction_set.h"
#include "kernels/core/register_tiles.h"
#include "kernels/plan_memory.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t l2_sums_bytes = 96 * 1024;      // the sums of a task
constexpr int64_t l1_gradient_bytes = 24 * 1024;  // transposed gradient of one panel of output channels
constexpr int64_t most_gradient_block = 128;  // outputs: long sums are made of short ones and lose little to rounding
constexpr int64_t panels_per_task = 4;        // panels that share one copy of the rows
constexpr int64_t time_lane_block = 1024;     // outputs: four rows of gradient and one of input fit L1
// Below this many tasks the sums over samples and times are split too, for the threads' sake; as that changes the order
// of summation it may depend on the problem only.
constexpr int64_t wanted_tasks = 8;
constexpr double least_operations_per_part = 2e6;
constexpr int64_t most_parts_bytes = 2 * 1024 * 1024;
// Depthwise filters of some 80 taps would win a fifth by transforms, at 1.6 times the rounding of a direct sum.
constexpr int64_t least_depthwise_taps = 128;

class Decision {
 public:
  Decision(const Problem& problem, const InstructionSet& instruction_set, int slots, bool without_tiles)
      : p_(problem),
        without_tiles_(without_tiles),
        tiles_(grad_weight_tiles(instruction_set.register_count)),
        element_(compute_bytes(problem.data_type)),
        width_(instruction_set.vector_bytes / element_),
        group_out_(problem.out_channels / problem.groups),
        group_in_(problem.in_channels / problem.groups) {
    plan_ = Plan{};
    plan_.problem = problem;
    plan_.instruction_set = &instruction_set;
    plan_.algorithm = Algorithm::grad_weight;
    plan_.slots = slots_worth(problem, std::max(slots, 1));
  }

  Plan decide() {
    if (p_.out_channels == 0 || group_in_ == 0 || p_.kernel_size == 0) {
      plan_.algorithm = Algorithm::empty;
      return plan_;
    }
    choose_lanes();
    if (choose_depthwise_tiles()) return plan_;
    if (choose_tiles()) {
      choose_parts();
      divide_among_slots();
      lay_out_tile_workspace();
      return plan_;
    }
    choose_task();
    choose_time_block();
    choose_parts();
    divide_among_slots();
    lay_out_workspace();
    return plan_;
  }

 private:
  // Channel lanes unless most of them would stay empty.
  void choose_lanes() { blocks_.channel_lanes = 2 * group_out_ >= rounded_up(group_out_, width_); }

  // Groups of few output channels have time lanes, or, as single channels, share the lanes of transforms.
  bool choose_depthwise_tiles() {
    if (blocks_.channel_lanes || without_tiles_ || p_.in_channels != p_.groups) return false;
    const bool forced = p_.algorithm == AlgorithmRequest::fft;
    const bool worth_it = operations_of(p_) >= least_operations_of_tiles && p_.kernel_size >= least_depthwise_taps;
    if (!forced && !worth_it) return false;
    Problem p = p_;
    if (p.algorithm == AlgorithmRequest::winograd) p.algorithm = AlgorithmRequest::automatic;
    const auto choice = decide_grad_weight_depthwise_tiles(p, *plan_.instruction_set, plan_.slots);
    if (!choice) return false;
    if (!forced && choice->cost >= grad_weight_time_lane_cost(p_, *plan_.instruction_set)) return false;
    plan_ = choice->plan;
    plan_.problem = p_;
    return true;
  }

  // Tiles where they cost less; they have channel lanes.
  bool choose_tiles() {
    if (!blocks_.channel_lanes || without_tiles_ || p_.algorithm == AlgorithmRequest::direct) return false;
    auto choice = decide_grad_weight_tiles(p_, *plan_.instruction_set);
    const bool forced = choice && p_.algorithm != AlgorithmRequest::automatic;
    if (!choice) {
      Problem automatic = p_;
      automatic.algorithm = AlgorithmRequest::automatic;
      choice = decide_grad_weight_tiles(automatic, *plan_.instruction_set);
    }
    if (!choice) return false;
    if (!forced && choice->cost >= grad_weight_direct_cost(p_, *plan_.instruction_set)) return false;
    plan_.algorithm = Algorithm::grad_weight_tiles;
    plan_.tiles = choice->plan.tiles;
    plan_.rows = choice->plan.rows;
    plan_.channel_block = choice->plan.channel_block;
    plan_.out_block = choice->plan.out_block;
    blocks_.steps = plan_.tiles.block_count;
    return true;
  }

  int64_t lanes_of(int64_t out_channels) const {
    return blocks_.channel_lanes ? rounded_up(out_channels, width_) : out_channels;
  }
  // Bytes of one sum while it is in the making.
  int64_t sum_bytes() const { return blocks_.channel_lanes ? element_ : element_ * width_; }

  void choose_task() {
    const int64_t most_out = blocks_.channel_lanes ? panels_per_task * tiles_.columns * width_ : 2 * tiles_.rows;
    plan_.out_block = even_block(group_out_, std::min(group_out_, most_out));
    if (blocks_.channel_lanes) plan_.out_block = std::min(rounded_up(plan_.out_block, width_), group_out_);
    const int64_t channel_bytes = p_.kernel_size * lanes_of(plan_.out_block) * sum_bytes();
    plan_.channel_block = std::clamp<int64_t>(l2_sums_bytes / channel_bytes, 1, group_in_);
    plan_.channel_block = even_block(group_in_, plan_.channel_block);
  }

  void choose_time_block() {
    const int64_t columns = std::min(tiles_.columns, static_cast<int>(divide_up(plan_.out_block, width_)));
    const int64_t panel_outputs = l1_gradient_bytes / (columns * width_ * element_) / width_ * width_;
    blocks_.gradient_block =
        blocks_.channel_lanes ? std::clamp(panel_outputs, width_, most_gradient_block) : time_lane_block;
    plan_.rows = choose_segments(p_, std::min(p_.output_length, blocks_.gradient_block) + width_);
    const int64_t span = span_of(plan_.rows);
    const int64_t fitting = l2_rows_bytes / (plan_.channel_block * plan_.rows.segment_count * element_) - span;
    const int64_t most = blocks_.channel_lanes ? std::max(fitting, 4 * span) : time_lane_block;
    const int64_t blocks = std::max<int64_t>(most / blocks_.gradient_block, 1);
    plan_.time_block = std::min(blocks * blocks_.gradient_block, std::max<int64_t>(p_.output_length, 1));
    plan_.time_block_count = divide_up(p_.output_length, plan_.time_block);
    choose_row_length(plan_.rows, plan_.time_block, width_, element_);
    blocks_.steps = p_.batch * plan_.time_block_count;
  }

  void choose_parts() {
    const int64_t tasks =
        p_.groups * divide_up(group_out_, plan_.out_block) * divide_up(group_in_, plan_.channel_block);
    const int64_t weight_bytes = p_.out_channels * group_in_ * p_.kernel_size * element_;
    int64_t parts = divide_up(wanted_tasks, tasks);
    parts = std::min(parts, static_cast<int64_t>(operations_of(p_) / least_operations_per_part));
    parts = std::min({parts, blocks_.steps, most_parts_bytes / weight_bytes});
    blocks_.parts = std::max<int64_t>(parts, 1);
  }

  void divide_among_slots() {
    const int64_t others = blocks_.parts * p_.groups * divide_up(group_out_, plan_.out_block);
    const int64_t enough = plan_.slots > 1 ? plan_.slots * tasks_per_slot : 1;
    if (others * divide_up(group_in_, plan_.channel_block) < enough) {
      const int64_t wanted = std::min(divide_up(enough, others), group_in_);
      plan_.channel_block = std::min(plan_.channel_block, divide_up(group_in_, wanted));
    }
    plan_.channel_block_count = divide_up(group_in_, plan_.channel_block);
    if (others * plan_.channel_block_count < enough) even_out_blocks(blocks_.parts * plan_.channel_block_count);
    plan_.out_block_count = divide_up(group_out_, plan_.out_block);
    plan_.task_count = blocks_.parts * p_.groups * plan_.out_block_count * plan_.channel_block_count;
    plan_.slots = static_cast<int>(std::min<int64_t>(plan_.slots, plan_.task_count));
    blocks_.out_lanes = lanes_of(plan_.out_block);
  }

  // Each block of output channels is `others` tasks for each group: as many blocks as let all slots end together.
  void even_out_blocks(int64_t others) {
    const int64_t tasks_per_block = others * p_.groups;
    const int64_t whole = plan_.slots / std::gcd<int64_t>(tasks_per_block, plan_.slots);
    const int64_t blocks = rounded_up(divide_up(group_out_, plan_.out_block), whole);
    const int64_t unit = blocks_.channel_lanes ? width_ : 1;
    plan_.out_block = std::min(rounded_up(divide_up(group_out_, blocks), unit), plan_.out_block);
  }

  void lay_out_workspace() {
    size_t at = cache_line_bytes;  // the task counter comes first
    plan_.offset_table_at = at;
    at += aligned_bytes(plan_.channel_block * p_.kernel_size * 4);
    lay_out_parts(at);
    plan_.slots_at = at;
    size_t within = aligned_bytes(plan_.channel_block * plan_.rows.row_length * element_);
    blocks_.slot_gradient_at = within;
    const int64_t gradient = blocks_.channel_lanes
                                 ? rounded_up(blocks_.gradient_block, width_) * tiles_.columns * width_
                                 : plan_.out_block * rounded_up(plan_.time_block, width_);
    within += aligned_bytes(gradient * element_);
    blocks_.slot_sums_at = within;
    // One vector more than the sums, which are zeroed in whole vectors.
    const int64_t sums = plan_.channel_block * p_.kernel_size * blocks_.out_lanes;
    within += aligned_bytes(sums * sum_bytes()) + cache_line_bytes;
    blocks_.slot_bias_at = within;
    within += aligned_bytes(rounded_up(plan_.out_block, width_) * width_ * element_);
    plan_.slot_bytes = within;
    plan_.workspace_bytes = at + static_cast<size_t>(plan_.slots) * plan_.slot_bytes;
  }

  void lay_out_tile_workspace() {
    TileBlocks& tiles = plan_.tiles;
    const int64_t line = cache_line_bytes / element_;
    const int64_t products = shape_of(tiles.transform).products;
    const int64_t channels = plan_.channel_block * plan_.rows.segment_count;
    // Planes are an odd number of cache lines apart, so that they spread over all cache sets.
    const auto plane = [line](int64_t elements) { return (divide_up(elements, line) | 1) * line; };
    tiles.input_plane = plane(channels * tiles.block_tiles);
    tiles.weight_plane = plane(tiles.block_tiles * blocks_.out_lanes);
    tiles.output_plane = plane(channels * blocks_.out_lanes);

    size_t at = cache_line_bytes;  // the task counter comes first
    tiles.flags_at = at;
    at += cache_line_bytes;
    tiles.fallback_at = at;
    plan_.offset_table_at = at;
    at += aligned_bytes(channels * 4);
    lay_out_parts(at);
    plan_.slots_at = at;
    size_t within = 0;
    const auto reserve = [&](size_t& offset, int64_t elements) {
      offset = within;
      within += aligned_bytes(elements * element_);
    };
    reserve(tiles.slot_inputs_at, products * tiles.input_plane);
    reserve(blocks_.slot_gradient_at, products * tiles.weight_plane);
    reserve(tiles.slot_outputs_at, products * tiles.output_plane);
    reserve(blocks_.slot_sums_at, plan_.channel_block * p_.kernel_size * blocks_.out_lanes);
    reserve(blocks_.slot_bias_at, blocks_.out_lanes);
    reserve(tiles.slot_samples_at, (std::max<int64_t>(shape_of(tiles.transform).size, width_) + 1) * width_);
    const int64_t row = block_row_elements(p_, tiles, tiles.block_tiles);
    reserve(tiles.slot_rows_at, row * width_ + 2 * width_);
    reserve(tiles.slot_peaks_at, std::max<int64_t>(row, shape_of(tiles.transform).size) + 2 * width_);
    reserve(blocks_.slot_repaired_at, plan_.channel_block * p_.kernel_size * blocks_.out_lanes);
    reserve(blocks_.slot_left_out_at, divide_up(channels * tiles.block_tiles, element_));
    plan_.slot_bytes = within + cache_line_bytes;
    plan_.workspace_bytes = at + static_cast<size_t>(plan_.slots) * plan_.slot_bytes;
    const Plan direct = decide_grad_weight_without_tiles(p_, *plan_.instruction_set, plan_.slots);
    plan_.workspace_bytes = std::max(plan_.workspace_bytes, tiles.fallback_at + direct.workspace_bytes);
  }

  void lay_out_parts(size_t& at) {
    blocks_.parts_at = at;
    if (blocks_.parts > 1) {
      at += aligned_bytes(blocks_.parts * p_.out_channels * group_in_ * p_.kernel_size * element_);
    }
    blocks_.bias_parts_at = at;
    if (blocks_.parts > 1) at += aligned_bytes(blocks_.parts * p_.out_channels * element_);
  }

  const Problem& p_;
  const bool without_tiles_;
  const GradWeightTiles& tiles_;
  const int64_t element_;
  const int64_t width_;
  const int64_t group_out_;
  const int64_t group_in_;
  Plan plan_;
  GradWeightBlocks& blocks_ = plan_.grad_weight;
};

}  // namespace

Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return remembered({problem, {}, &instruction_set, slots, asked_grad_weight}, [&] {
    const std::optional<Plan> columns = decide_grad_weight_columns(problem, instruction_set, slots);
    return columns ? *columns : Decision(problem, instruction_set, slots, false).decide();
  });
}

Plan decide_grad_weight_without_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return Decision(problem, instruction_set, slots, true).decide();
}

}  // namespace tapconv::kernels
