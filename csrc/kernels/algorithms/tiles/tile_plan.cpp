#include "tile_plan.h"

#include <algorithm>
#include <bit>

#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/blocking.h"
#include "kernels/core/workspace.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/numbers/filter_kinds.h"
#include "tile_cost.h"
#include "tile_cut.h"

namespace tapconv::kernels {
namespace {

constexpr int64_t l1_tiles_bytes = 20 * 1024;     // what one register tile reads of the transformed tiles
constexpr int64_t l2_block_bytes = 640 * 1024;    // transformed tiles and outputs of a block
constexpr int64_t l2_weight_bytes = 128 * 1024;   // transformed filters of one product and one block of channels
constexpr int64_t l2_outputs_bytes = 512 * 1024;  // transformed outputs of one block of channels
// Tiles that all slots share may take as much as transformed filters would, within these bounds.
constexpr int64_t min_shared_bytes = 4 * 1024 * 1024;
constexpr int64_t max_shared_bytes = 16 * 1024 * 1024;
constexpr int64_t shared_slot_bytes = 2 * 1024 * 1024;
constexpr int64_t max_slot_bytes = 4 * 1024 * 1024;
// A block has no more tiles than this, unless it is shared and Winograd's. The filters of shared blocks are transformed
// anew for each block, and Winograd's transforms have few products to hide that behind.
constexpr int64_t max_usual_tiles = 256;
constexpr int64_t max_row_bytes = 256 * 1024;
// With filters in the lanes, these are the transformed filters of a panel and a block of input channels. There are at
// least so many channels, or sums would be loaded and stored more often than anything is multiplied.
constexpr int64_t panel_filter_bytes = 768 * 1024;
constexpr int64_t min_panel_channels = 8;

class TilePlanner {
 public:
  TilePlanner(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set, int slots,
              TileTransform transform, TileBlocking blocking, FiltersAhead ahead)
      : p_(problem),
        shape_(shape_of(transform)),
        register_tiles_(register_tiles(instruction_set.register_count)),
        element_(compute_bytes(problem.data_type)),
        width_(instruction_set.vector_bytes / element_),
        line_(cache_line_bytes / element_),
        group_in_(problem.in_channels / problem.groups) {
    plan_.problem = problem;
    plan_.variant = variant;
    plan_.instruction_set = &instruction_set;
    slots_ = slots_worth(problem, std::max(slots, 1));
    plan_.packed_ahead = ahead == FiltersAhead::transformed;
    tiles_.transform = transform;
    tiles_.channels_together = 1;
    tiles_.shared_groups = 1;
    tiles_.blocking = blocking;
    const bool usable = ahead != FiltersAhead::in_lanes || has_filter_lanes(tiles_);
    tiles_.ahead = usable ? ahead : FiltersAhead::nothing;
  }

  // Returns what the blocks cost, or why there are none. The number of slots has no part in it, nor then in choices
  // made by it.
  Answer<double> price() {
    if (!cut_into_tiles(p_, shape_, plan_.rows, tiles_)) {
      return Declined{shape_.taps > 0 ? "each phase of the stride would need two or three taps, as many as the tile has"
                                      : "taps are single, longer than the tile, or longer than the outputs"};
    }
    // Sums that are to be spread are put in order along an undilated row first.
    if (!writes_in_order(p_, plan_.variant) && tiles_.dilation_phases > 1) {
      return Declined{"sums of a dilated problem are not written in order"};
    }
    if (!choose_register_tiles()) return Declined{"output channels do not fill whole vectors"};
    if (!choose_blocks()) return Declined{"a block of tiles would not fit in the cache"};
    plan_.cost = tile_cost(plan_);
    return plan_.cost;
  }

  // Returns the plan of blocks that have a price.
  const TilePlan& plan() {
    if (!shares_tiles(tiles_)) divide_blocks_among_slots();
    plan_.slots = static_cast<int>(std::min<int64_t>(slots_, plan_.task_count));
    lay_out_workspace();
    plan_.fallback = plan_fallback(plan_);
    plan_.workspace_bytes = std::max(plan_.workspace_bytes, tiles_.fallback_at + plan_.fallback.workspace_bytes);
    return plan_;
  }

 private:
  bool choose_register_tiles() {
    const bool lanes = has_filter_lanes(tiles_);
    if (lanes && !(fits_filter_lanes(p_, plan_.rows, width_) && writes_in_order(p_, plan_.variant))) return false;
    const OutChannelSplit split = split_out_channels(p_, *plan_.instruction_set, lanes);
    plan_.tile_row_count = split.tile_row_count;
    plan_.tile_rows = split.tile_rows;
    return true;
  }

  int64_t input_bytes(int64_t tiles) const { return input_bytes(tiles, group_in_); }
  int64_t input_bytes(int64_t tiles, int64_t channels) const {
    return shape_.products * channels * plan_.rows.segment_count * tiles * element_;
  }
  int64_t output_bytes(int64_t tiles, int64_t tile_rows) const {
    return shape_.products * tile_rows * plan_.tile_rows * tiles * element_;
  }

  bool choose_blocks() {
    switch (tiles_.blocking) {
      case TileBlocking::private_tiles:
        return choose_own_blocks();
      case TileBlocking::shared_tiles:
        return choose_shared_blocks();
      case TileBlocking::filter_lanes:
        return choose_panels();
    }
    return false;
  }

  // Returns how many tiles a full register tile covers.
  int64_t column() const { return register_tiles_.columns[plan_.tile_rows] * width_; }

  void set_block(int64_t tiles) {
    tiles_.block_count = ceil_div(tiles_.tile_count, tiles);
    tiles_.block_tiles = rounded_up(ceil_div(tiles_.tile_count, tiles_.block_count), width_);
    tiles_.block_count = ceil_div(tiles_.tile_count, tiles_.block_tiles);
  }

  // Filters in the lanes take any number of tiles. Where there are so few that a vector has room for those of several
  // input channels, they lie without gaps, and are transformed side by side.
  void set_panel_block(int64_t tiles) {
    const int64_t few = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(tiles_.tile_count)));
    if (few < width_ && group_in_ % (width_ / few) == 0) {
      tiles_.block_tiles = few;
      tiles_.block_count = 1;
      tiles_.channels_together = width_ / few;
    } else {
      set_block(tiles);
      spread_over_cache_sets();
    }
  }

  // A register tile reads a few lines of every channel. Where channels lie a multiple of many lines apart, those fall
  // into few sets of the first-level cache.
  void spread_over_cache_sets() {
    if (tiles_.block_tiles % (8 * line_) != 0) return;
    tiles_.block_tiles += line_;
    tiles_.block_count = ceil_div(tiles_.tile_count, tiles_.block_tiles);
  }

  void choose_channel_block() {
    const int64_t channels = l1_tiles_bytes / (column() * element_);
    // Segments adjoin where all input channels are at hand.
    const bool all = tiles_.channels_at_a_time == group_in_;
    const int64_t run = all ? tiles_.channels : tiles_.channels_at_a_time;
    plan_.channel_block = even_block(run, std::clamp<int64_t>(channels, 1, run));
    plan_.channel_block_count = ceil_div(tiles_.channels, plan_.channel_block);
  }

  // A block has at most `tile_rows` register tiles, and with several slots no more than `slot_tile_rows`, which keep
  // them busy.
  void set_out_block(int64_t tile_rows, int64_t slot_tile_rows) {
    const auto block = [&](int64_t rows) {
      return even_block(plan_.tile_row_count, std::clamp<int64_t>(rows, 1, plan_.tile_row_count));
    };
    plan_.out_block = block(std::min(tile_rows, slot_tile_rows));
    plan_.out_block_count = ceil_div(plan_.tile_row_count, plan_.out_block);
    tiles_.tile_reads = ceil_div(plan_.tile_row_count, block(tile_rows));
  }

  bool choose_own_blocks() {
    int64_t tiles = choose_channels_at_a_time();
    const auto block_bytes = [&] { return input_bytes(tiles, tiles_.channels_at_a_time) + output_bytes(tiles, 1); };
    while (tiles > width_ && block_bytes() > max_slot_bytes) tiles -= width_;
    if (block_bytes() > max_slot_bytes) return false;
    set_block(tiles);
    choose_channel_block();
    if (tiles_.channels_at_a_time < group_in_) {
      set_out_block(plan_.tile_row_count, plan_.tile_row_count);
    } else {
      set_out_block(std::min(l2_weight_bytes / (plan_.tile_rows * plan_.channel_block * element_),
                             l2_outputs_bytes / output_bytes(tiles_.block_tiles, 1)),
                    plan_.tile_row_count);
    }
    plan_.task_count = p_.groups * tiles_.block_count;
    return row_buffer_elements() * element_ <= max_row_bytes;
  }

  // Returns the tiles of a task of its own. It chooses the channels at a time, too, which say in what order sums are
  // taken, so that they are alike where slots share tiles. Tiles are whole columns of register tiles, at least one, as
  // long as L2 holds a block.
  int64_t choose_channels_at_a_time() {
    tiles_.channels_at_a_time = group_in_;
    const auto outputs = [&](int64_t count) { return output_bytes(count, plan_.tile_row_count); };
    int64_t tiles = l2_block_bytes / (input_bytes(1) + outputs(1)) / column() * column();
    tiles = std::clamp<int64_t>(tiles, column(), max_usual_tiles / column() * column());
    if (input_bytes(tiles) + outputs(tiles) <= l2_block_bytes || outputs(width_) > l2_block_bytes / 4) return tiles;
    while (outputs(tiles) > l2_block_bytes / 4) tiles -= width_;
    const int64_t channels = (l2_block_bytes - outputs(tiles)) / input_bytes(tiles, 1);
    tiles_.channels_at_a_time = std::clamp<int64_t>(channels, 1, group_in_);
    return tiles;
  }

  // A few blocks may leave slots idle at the end. Other sizes may divide better, and give the same sums. Blocks of less
  // than a column read all filters more often than the third-level cache, which slots share, can deliver.
  void divide_blocks_among_slots() {
    if (slots_ == 1 || plan_.task_count >= tasks_per_slot * slots_) return;
    const int64_t most = tiles_.block_tiles;
    const int64_t min_tiles = weight_bytes() > l2_block_bytes ? column() : width_;
    int64_t best = most;
    double least = slowest_slot_cost();
    for (int64_t tiles = min_tiles; tiles < most; tiles += width_) {
      set_block(tiles);
      const double cost = slowest_slot_cost();
      if (cost < least) least = cost, best = tiles;
    }
    set_block(best);
    plan_.task_count = p_.groups * tiles_.block_count;
  }

  // Prices the slowest slot, by the share of all vectors of tiles that it takes.
  double slowest_slot_cost() const {
    const int64_t vectors = ceil_div(tiles_.tile_count, width_);
    const int64_t block = tiles_.block_tiles / width_;
    const int64_t tasks = p_.groups * tiles_.block_count;
    const int64_t rounds = ceil_div(tasks, slots_);
    const bool ends_short = p_.groups == 1 && tasks - (rounds - 1) * slots_ == 1;
    const int64_t last = ends_short ? vectors - (tasks - 1) * block : block;
    return tile_cost(plan_) * static_cast<double>((rounds - 1) * block + last) /
           static_cast<double>(p_.groups * vectors);
  }

  int64_t max_shared() const { return std::clamp<int64_t>(weight_bytes(), min_shared_bytes, max_shared_bytes); }

  bool choose_shared_blocks() {
    // This is a line less than fits, because a line may be added below.
    const int64_t max_tiles = is_fourier(tiles_.transform) ? max_usual_tiles : largest_tile_block - line_;
    int64_t tiles = std::min(max_shared() / input_bytes(1), max_tiles);
    tiles = tiles >= column() ? tiles / column() * column() : tiles / width_ * width_;
    if (tiles == 0) return false;
    choose_channels_at_a_time();
    set_block(tiles);
    spread_over_cache_sets();
    choose_channel_block();
    const int64_t own_filter_bytes =
        plan_.packed_ahead ? 0 : shape_.products * plan_.tile_rows * tiles_.channels * element_;
    const int64_t tile_bytes = output_bytes(tiles_.block_tiles, 1) + own_filter_bytes;
    return tile_bytes <= max_slot_bytes && share_tiles(shared_slot_bytes / tile_bytes);
  }

  bool choose_panels() {
    const int64_t max_tiles = largest_tile_block - line_;
    const int64_t tiles = std::min(max_shared() / input_bytes(1), max_tiles) / width_ * width_;
    if (tiles == 0) return false;
    set_panel_block(tiles);
    tiles_.channels_at_a_time = group_in_;
    const int64_t channel_bytes = shape_.products * plan_.tile_rows * element_;
    const int64_t channels = std::min(l1_tiles_bytes / (plan_.tile_rows * element_),
                                      std::max(panel_filter_bytes / channel_bytes, min_panel_channels));
    plan_.channel_block = even_block(group_in_, std::min(channels, group_in_));
    plan_.channel_block_count = ceil_div(group_in_, plan_.channel_block);
    const int64_t own_filter_bytes = plan_.packed_ahead ? 0 : channel_bytes * plan_.channel_block;
    return output_bytes(tiles_.block_tiles, 1) + own_filter_bytes <= max_slot_bytes &&
           share_tiles(plan_.tile_row_count);
  }

  // Divides the output channels of shared tiles into tasks of at most `tile_rows` register tiles.
  bool share_tiles(int64_t tile_rows) {
    // As few groups are shared as keep all slots busy, so that their tiles may stay in the second-level cache.
    const int64_t wanted = slots_ > 1 ? slots_ * tasks_per_slot : 1;
    const int64_t max_groups = std::max<int64_t>(max_shared() / input_bytes(tiles_.block_tiles), 1);
    tiles_.shared_groups = std::min({ceil_div(wanted, plan_.tile_row_count), max_groups, p_.groups});
    set_out_block(tile_rows, plan_.tile_row_count * tiles_.shared_groups / wanted);
    if (has_filter_lanes(tiles_)) tiles_.tile_reads = plan_.tile_row_count;
    plan_.task_count = tiles_.shared_groups * plan_.out_block_count;
    return row_buffer_elements() * element_ <= max_row_bytes;
  }

  // Returns the distance between rows of input channels whose tiles share a vector, each with room to load vectors at
  // its end.
  int64_t row_distance() const {
    return rounded_up(block_row_elements(p_, tiles_, tiles_.block_tiles), width_) + 2 * width_;
  }
  int64_t row_buffer_elements() const { return tiles_.channels_together * row_distance(); }

  // Returns the bytes of all transformed filters.
  int64_t weight_bytes() const {
    return p_.groups * shape_.products * tiles_.channels * plan_.tile_row_count * plan_.tile_rows * element_;
  }

  void lay_out_workspace() {
    const bool shared = shares_tiles(tiles_);
    const bool lanes = has_filter_lanes(tiles_);
    const int64_t channels = shared ? group_in_ : tiles_.channels_at_a_time;
    tiles_.input_plane = plane_of(channels * plan_.rows.segment_count * tiles_.block_tiles, line_);
    tiles_.output_plane = plane_of((lanes ? 1 : plan_.out_block) * plan_.tile_rows * tiles_.block_tiles, line_);
    // Filters that a task transforms for itself are those of its own register tiles, or of one panel and some channels.
    const bool own_filters = shared && !plan_.packed_ahead;
    const int64_t filter_channels = own_filters && lanes ? plan_.channel_block : group_in_;
    const int64_t private_tiles = lanes ? 1 : plan_.out_block;
    tiles_.weight_tile = filter_tile(filter_channels, plan_.rows.segment_count, plan_.tile_rows, width_);
    tiles_.weight_plane = filter_plane(tiles_.weight_tile, own_filters ? private_tiles : plan_.tile_row_count, line_);

    Workspace workspace = workspace_with_counter();
    tiles_.flags_at = workspace.reserve(1 + p_.groups * p_.batch * tiles_.tiles_per_phase);
    tiles_.kinds_at = workspace.reserve(filter_kind_bytes(p_));
    tiles_.peaks_at = workspace.reserve(plan_.slots * tiles_.shared_groups);
    tiles_.fallback_at = workspace.end();
    plan_.offset_table_at = workspace.reserve(plan_.channel_block * 4);
    plan_.bias_at = workspace.reserve(p_.out_channels * element_);
    const int64_t input_bytes = shape_.products * tiles_.input_plane * element_;
    const int64_t weight_bytes = shape_.products * tiles_.weight_plane * element_;
    // Tasks either share transformed tiles or all read the same transformed filters.
    const bool all_filters = !shared && !plan_.packed_ahead;
    tiles_.shared_at = plan_.packed_weight_at = workspace.reserve(shared        ? tiles_.shared_groups * input_bytes
                                                                  : all_filters ? p_.groups * weight_bytes
                                                                                : 0);
    Workspace slot;
    tiles_.slot_inputs_at = slot.reserve(shared ? 0 : input_bytes);
    tiles_.slot_weight_at = shared ? slot.reserve(own_filters ? weight_bytes : 0) : tiles_.slot_inputs_at;
    tiles_.slot_outputs_at = slot.reserve(shape_.products * tiles_.output_plane * element_);
    const int64_t samples = lanes ? std::max(filter_lane_times, tiles_.outputs) : 1;
    tiles_.slot_samples_at =
        slot.reserve((std::max<int64_t>(plan_.rows.segment_count * shape_.size, width_) + samples) * width_ * element_);
    tiles_.row_distance = row_distance();
    tiles_.slot_rows_at = slot.reserve(row_buffer_elements() * element_);
    // Each group has peaks and fractions. Spare rows follow.
    tiles_.slot_peaks_at =
        slot.reserve((2 * tiles_.shared_groups + 1) * peak_kinds(plan_) * tiles_.row_distance * element_);
    lay_out_slots(workspace, slot.end() + cache_line_bytes, plan_);
  }

  const Problem& p_;
  int64_t slots_ = 1;
  const TileTransformShape& shape_;
  const RegisterTiles& register_tiles_;
  const int64_t element_;
  const int64_t width_;
  const int64_t line_;
  const int64_t group_in_;
  TilePlan plan_{};
  TileBlocks& tiles_ = plan_.tiles;
};

}  // namespace

Answer<TilePlan> plan_tiles(const Problem& problem, const ForwardVariant& variant,
                            const InstructionSet& instruction_set, int slots, TileTransform transform,
                            TileBlocking blocking, FiltersAhead ahead) {
  TilePlanner planner(problem, variant, instruction_set, slots, transform, blocking, ahead);
  const Answer<double> cost = planner.price();
  if (!cost) return Declined{cost.why_not()};
  return planner.plan();
}

Answer<double> tiles_price(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                           int slots, TileTransform transform, TileBlocking blocking, FiltersAhead ahead) {
  return TilePlanner(problem, variant, instruction_set, slots, transform, blocking, ahead).price();
}

}  // namespace tapconv::kernels
