#include "matrix_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/core/blocking.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t tile_size = 16;  // output channels, pairs and times of a matrix tile
constexpr int64_t tile_bytes = 1024;
constexpr int64_t pair_bytes = 4;
constexpr int64_t column = 2 * tile_size;  // times of a register tile

// Every processor with tiles has 2 MiB of second-level and 48 KiB of first-level cache.
constexpr int64_t l2_rows_bytes_of_matrices = 1024 * 1024;
constexpr int64_t l2_sums_bytes = 128 * 1024;   // of two output tiles
constexpr int64_t l1_weight_bytes = 24 * 1024;  // of two output tiles, for the steps at a time
constexpr double max_row_bytes = 4 * 1024 * 1024;

// Cuts the reduction over channels and taps into steps, from the weight's shape alone.
MatrixSteps cut_into_steps(const Problem& p) {
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const int64_t out_tiles = ceil_div(group_out, tile_size);
  // These are cycles for 16 times: what the products take, from whole lines and across the ends of lines, and what the
  // copies of one channel take.
  constexpr double step = 16, split_step = 18, copy = 6;
  const auto steps_of = [](int64_t rows) { return ceil_div(rows, tile_size); };
  const int64_t channel_rows = ceil_div(group_in, 2);
  const int64_t tap_rows = ceil_div(group_in * p.kernel_size, 2);
  const double by_channels = static_cast<double>(out_tiles * steps_of(channel_rows) * p.kernel_size) * split_step +
                             static_cast<double>(group_in) * copy;
  const double by_taps =
      static_cast<double>(out_tiles * steps_of(tap_rows)) * step + static_cast<double>(group_in * p.kernel_size) * copy;
  MatrixSteps steps{};
  steps.used = true;
  steps.rows_of_taps = by_taps < by_channels;
  const int64_t rows = steps.rows_of_taps ? tap_rows : channel_rows;
  const int64_t row_steps = steps_of(rows);
  steps.depth = std::max<int64_t>(row_steps > 0 ? ceil_div(rows, row_steps) : 1, 1);
  steps.steps = steps.rows_of_taps ? row_steps : row_steps * p.kernel_size;
  steps.rows = row_steps * steps.depth;
  // A stride makes copies of taps dear, and a vector holds enough of them.
  steps.transposes_taps = steps.rows_of_taps && p.dilation == 1 && p.stride > 1 && p.kernel_size >= tile_size &&
                          (p.kernel_size % 2 == 0 || group_in == 1);
  steps.steps_at_a_time = std::max<int64_t>(l1_weight_bytes / (2 * tile_bytes), 1);
  return steps;
}

// Returns the fewest bytes that the rows of a task take, whatever the input. They are those of one register tile of
// times, with shared segments or one for each tap. A dilation may be so large that integers would overflow.
double min_row_bytes(const Problem& p) {
  const MatrixSteps steps = cut_into_steps(p);
  const int64_t common = std::gcd(p.stride, p.dilation);
  const int64_t segments = std::min(p.kernel_size, p.stride / common);
  const double span =
      static_cast<double>(ceil_div(p.kernel_size, segments) - 1) * static_cast<double>(p.dilation / common);
  const double shared = static_cast<double>(segments) * (static_cast<double>(column) + span);
  const double by_tap = static_cast<double>(p.kernel_size) * static_cast<double>(column);
  const double of_a_row = steps.rows_of_taps ? static_cast<double>(column) : std::min(shared, by_tap);
  return static_cast<double>(steps.rows) * of_a_row * static_cast<double>(pair_bytes);
}

class MatrixPlanner {
 public:
  MatrixPlanner(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set, int slots,
                bool packed_ahead, bool folded)
      : p_(problem),
        batch_(folded ? 1 : problem.batch),
        length_(folded ? problem.batch * problem.output_length : problem.output_length) {
    plan_.problem = problem;
    plan_.variant = variant;
    plan_.instruction_set = &instruction_set;
    plan_.slots = std::max(slots, 1);
    plan_.packed_ahead = packed_ahead;
    plan_.pack_weight = true;
    plan_.folded = folded;
    plan_.row_channels = 1;
  }

  DirectPlan plan() {
    if (has_no_outputs(p_)) return plan_;
    const int64_t group_out = p_.out_channels / p_.groups;
    plan_.tile_row_count = ceil_div(group_out, tile_size);
    plan_.tile_rows = static_cast<int>(ceil_div(group_out, plan_.tile_row_count));
    plan_.matrix = cut_into_steps(p_);
    plan_.matrix.transposes_taps = plan_.matrix.transposes_taps && !plan_.folded && p_.input_strides.time == 1;
    choose_segments_of_rows();
    choose_blocks();
    lay_out_workspace();
    return plan_;
  }

 private:
  void choose_segments_of_rows() {
    plan_.rows = choose_segments(p_, std::min<int64_t>(length_, 8 * tile_size) + tile_size);
    if (!plan_.folded && !plan_.matrix.rows_of_taps && !reads_mostly_overlap()) return;
    plan_.rows.segment_count = std::max<int64_t>(p_.kernel_size, 1);
    plan_.rows.taps_per_segment = 1;
    plan_.rows.tap_distance = 0;
  }

  // Says whether a block of times that fits in the cache would copy fewer samples with a segment for each tap than with
  // what the last taps read of shared ones.
  bool reads_mostly_overlap() const {
    const int64_t times = std::clamp(times_within(l2_rows_bytes_of_matrices), column, std::max(length_, column));
    return plan_.rows.segment_count * (times + span_of(plan_.rows)) > p_.kernel_size * times;
  }

  // Returns how many times have rows that take so many bytes.
  int64_t times_within(int64_t bytes) const {
    const int64_t segments = plan_.matrix.rows_of_taps ? 1 : plan_.rows.segment_count;
    return bytes / (std::max<int64_t>(plan_.matrix.rows * segments, 1) * pair_bytes) - span_of(plan_.rows);
  }

  void choose_blocks() {
    const auto columns = [](int64_t times) { return std::max<int64_t>(times / column, 1) * column; };
    const int64_t of_rows = times_within(l2_rows_bytes_of_matrices);
    const int64_t of_sums = std::max(l2_sums_bytes / (2 * plan_.tile_rows * 4), 2 * span_of(plan_.rows));
    plan_.time_block = std::min(columns(std::min(of_rows, of_sums)), length_);
    plan_.out_block = plan_.tile_row_count;
    plan_.slots = slots_worth(p_, plan_.slots);
    const int64_t enough = plan_.slots > 1 ? plan_.slots * tasks_per_slot : 1;
    int64_t others = batch_ * p_.groups;
    if (others * ceil_div(length_, plan_.time_block) < enough) {
      const int64_t shorter = rounded_up(ceil_div(length_, ceil_div(enough, others)), column);
      plan_.time_block = std::min(plan_.time_block, std::max({shorter, 2 * column, 2 * span_of(plan_.rows)}));
    }
    plan_.time_block_count = ceil_div(length_, plan_.time_block);
    plan_.time_block = std::min(rounded_up(ceil_div(length_, plan_.time_block_count), tile_size), length_);
    plan_.time_block_count = ceil_div(length_, plan_.time_block);
    others *= plan_.time_block_count;
    if (others < enough) {
      const int64_t wanted = std::min(ceil_div(enough, others), ceil_div(plan_.tile_row_count, 2));
      plan_.out_block = rounded_up(ceil_div(plan_.tile_row_count, wanted), 2);
    }
    plan_.out_block_count = ceil_div(plan_.tile_row_count, plan_.out_block);
    plan_.task_count = others * plan_.out_block_count;
    plan_.slots = static_cast<int>(std::min<int64_t>(plan_.slots, plan_.task_count));

    RowLayout& rows = plan_.rows;
    if (plan_.matrix.rows_of_taps) {
      // Rows are segments, an odd number of cache lines apart, and the samples of a channel are all of its segments.
      const int64_t lines = ceil_div(plan_.time_block, tile_size);
      rows.segment_length = (lines | 1) * tile_size;
      rows.row_length = rows.segment_count * rows.segment_length;
      plan_.matrix.row_distance = rows.segment_length;
    } else {
      choose_row_length(rows, plan_.time_block, tile_size, pair_bytes);
      plan_.matrix.row_distance = rows.row_length;
    }
  }

  void lay_out_workspace() {
    Workspace workspace = workspace_with_counter();
    plan_.offset_table_at = workspace.reserve(plan_.matrix.steps * 4);
    plan_.bias_at = workspace.reserve(p_.groups * plan_.tile_row_count * plan_.tile_rows * tile_size * 4);
    plan_.packed_weight_at = workspace.reserve(plan_.packed_ahead ? 0 : matrix_weight_bytes(p_));
    Workspace slot;
    slot.reserve(plan_.matrix.rows * plan_.matrix.row_distance * pair_bytes);
    // There is room for the rows of two channels, and for what the last pair reads where it lacks its second half.
    plan_.matrix.slot_samples_at = slot.reserve((2 * plan_.rows.row_length + plan_.rows.segment_length) * 2);
    plan_.partial_stride = rounded_up(plan_.time_block, tile_size) + cache_line_bytes / 4;
    plan_.slot_partial_at = slot.reserve(2 * plan_.tile_rows * plan_.partial_stride * 4);
    lay_out_slots(workspace, slot.end() + cache_line_bytes, plan_);
  }

  const Problem& p_;
  const int64_t batch_;
  const int64_t length_;  // outputs of a row
  DirectPlan plan_{};
};

}  // namespace

bool sums_by_matrices(const Problem& p, const InstructionSet& instruction_set) {
  return instruction_set.multiplies_bfloat16_matrices && p.data_type == DataType::bfloat16 &&
         p.out_channels > p.groups && p.in_channels / p.groups * p.kernel_size > 1 && min_row_bytes(p) <= max_row_bytes;
}

int64_t matrix_weight_bytes(const Problem& p) {
  return p.groups * ceil_div(p.out_channels / p.groups, tile_size) * cut_into_steps(p).steps * tile_bytes;
}

DirectPlan plan_matrices(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                         int slots, bool packed_ahead, bool folded) {
  return MatrixPlanner(problem, variant, instruction_set, slots, packed_ahead, folded).plan();
}

void fill_step_offsets(const DirectPlan& plan, int32_t* table) {
  const MatrixSteps& matrix = plan.matrix;
  const RowLayout& rows = plan.rows;
  for (int64_t step = 0; step < matrix.steps; ++step) {
    const int64_t tap = matrix.rows_of_taps ? 0 : step % plan.problem.kernel_size;
    const int64_t first_row = (matrix.rows_of_taps ? step : step / plan.problem.kernel_size) * matrix.depth;
    const int64_t within =
        tap % rows.segment_count * rows.segment_length + tap / rows.segment_count * rows.tap_distance;
    table[step] = static_cast<int32_t>(first_row * matrix.row_distance + within);
  }
}

}  // namespace tapconv::kernels
