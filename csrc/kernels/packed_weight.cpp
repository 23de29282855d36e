#include "packed_weight.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "blocking.h"
#include "cost_model.h"
#include "depthwise_tile_planner.h"
#include "forward.h"
#include "instruction_set.h"
#include "matrix_planner.h"
#include "out_lane_planner.h"
#include "overlap_save.h"
#include "plan_memory.h"
#include "planner.h"
#include "register_tiles.h"
#include "short_planner.h"
#include "tile_cut.h"
#include "tile_planner.h"

namespace tapconv::kernels {
namespace {

constexpr char magic[8] = {'t', 'a', 'p', 'c', 'o', 'n', 'v', 'W'};
constexpr int64_t format = 3;
constexpr size_t header_bytes = sizeof(PackedHeader);
static_assert(std::is_trivially_copyable_v<PackedHeader>);

// A weight with more elements than this is refused before sizes are computed from it.
constexpr int64_t most_elements = int64_t(1) << 40;

// What a transform has to save over a smaller one.
constexpr double worth_more_memory = 0.95;
// What vectors of output channels have to save over dot products, and shared tiles over others, by estimates that are
// only so good.
constexpr double worth_other_way = 0.95;

// Every step is undone by its inverse, so that any change of one word changes the sum.
uint64_t checksum_of(const PackedHeader& header) {
  std::array<uint64_t, offsetof(PackedHeader, checksum) / 8> words;
  std::memcpy(words.data(), &header, sizeof words);
  uint64_t sum = 0x9E3779B97F4A7C15;
  for (const uint64_t word : words) {
    sum = (sum ^ word) * 0xD6E8FEB86659FD93;
    sum ^= sum >> 32;
  }
  return sum;
}

Problem with_contiguous_weight(Problem p) {
  p.weight_strides = {p.in_channels / p.groups * p.kernel_size, p.kernel_size, 1};
  return p;
}

// The filters' header fields, or false if the layout does not fit the problem.
bool lay_out_filters(const Problem& p, const InstructionSet& instruction_set, const FilterLayout& layout,
                     PackedHeader& header) {
  RowLayout rows{};
  TileBlocks tiles{};
  if (!cut_taps(p, shape_of(layout.transform), rows, tiles)) return false;
  const int64_t element = compute_bytes(p.data_type);
  const int64_t width = instruction_set.vector_bytes / element;
  if (layout.lanes && !fits_filter_lanes(p, rows, width)) return false;
  const OutChannelSplit split = split_out_channels(p, instruction_set, layout.lanes);
  header.transform = static_cast<int64_t>(layout.transform);
  header.filter_lanes = layout.lanes;
  header.transform_products = shape_of(layout.transform).products;
  header.filter_tile = filter_tile(p.in_channels / p.groups, rows.segment_count, split.tile_rows, width);
  header.filter_plane = filter_plane(header.filter_tile, split.tile_row_count, cache_line_bytes / element);
  header.filters_at = header.bytes;
  header.filters_fit = 1;
  header.bytes +=
      static_cast<int64_t>(aligned_bytes(p.groups * header.transform_products * header.filter_plane * element));
  return true;
}

// The same for taps in the lanes.
bool lay_out_taps(const Problem& p, const InstructionSet& instruction_set, PackedHeader& header) {
  const int64_t element = compute_bytes(p.data_type);
  if (p.kernel_size < 2 || !fits_filter_lanes(p, rows_of_tiles(p), instruction_set.vector_bytes / element))
    return false;
  header.taps_at = header.bytes;
  header.filters_fit = 1;
  header.bytes +=
      static_cast<int64_t>(aligned_bytes(p.out_channels * header.group_in_channels * p.kernel_size * element));
  return true;
}

void lay_out_lanes(const Problem& p, const InstructionSet& instruction_set, PackedHeader& header) {
  header.out_lanes_at = header.bytes;
  header.bytes += static_cast<int64_t>(aligned_bytes(out_lane_weight_bytes(p, instruction_set)));
}

PackedHeader lay_out(const Problem& p, const InstructionSet& instruction_set) {
  PackedHeader header{};
  std::copy_n(magic, sizeof magic, header.magic);
  header.format = format;
  std::copy_n(instruction_set.name, std::min(std::strlen(instruction_set.name), sizeof header.instruction_set),
              header.instruction_set);
  header.data_type = static_cast<int64_t>(p.data_type);
  header.algorithm = static_cast<int64_t>(p.algorithm);
  header.out_channels = p.out_channels;
  header.group_in_channels = p.in_channels / p.groups;
  header.kernel_size = p.kernel_size;
  header.stride = p.stride;
  header.dilation = p.dilation;
  header.groups = p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  header.tile_row_count = divide_up(group_out, register_tiles(instruction_set.register_count).rows);
  const int64_t elements = p.out_channels * header.group_in_channels * p.kernel_size;
  header.plain_at = header_bytes;
  header.bytes = header.plain_at + static_cast<int64_t>(aligned_bytes(elements * storage_bytes(p.data_type)));
  // A single output channel's weights already lie as a register tile reads them.
  if (sums_by_matrices(p, instruction_set)) {
    header.register_tiles_at = header.bytes;
    header.bytes += static_cast<int64_t>(aligned_bytes(matrix_weight_bytes(p)));
  } else if (group_out > 1 || !computes_in_own_type(p.data_type)) {
    header.register_tiles_at = header.bytes;
    const int64_t rows = divide_up(header.group_in_channels, row_channels_of(p, instruction_set));
    header.bytes +=
        static_cast<int64_t>(aligned_bytes(p.out_channels * rows * p.kernel_size * compute_bytes(p.data_type)));
  }
  return header;
}

std::optional<TileChoice> cheaper_tiles(const Problem& p, const InstructionSet& instruction_set, int slots,
                                        const FilterLayout& layout) {
  const ForwardVariant variant = plain_variant(p);
  const auto plan = [&](TileBlocking blocking) {
    return plan_tiles(p, variant, instruction_set, slots, layout.transform, blocking, FiltersAhead::transformed);
  };
  if (layout.lanes) return plan(TileBlocking::filter_lanes);
  std::optional<TileChoice> best = plan(TileBlocking::own_tiles);
  std::optional<TileChoice> shared = plan(TileBlocking::shared_tiles);
  if (!best || (shared && shared->cost < worth_other_way * best->cost)) best = shared;
  if (!best || !shared || slots == 1 || best->plan.task_count >= 2 * slots) return best;
  // Too few blocks to keep all slots busy: the other way of blocking gives the same sums. The cost stays the one that
  // does not depend on the slots.
  if (shared->plan.task_count > best->plan.task_count) best->plan = shared->plan;
  return best;
}

bool is_forced(AlgorithmRequest algorithm) {
  return algorithm == AlgorithmRequest::fft || algorithm == AlgorithmRequest::winograd;
}

// Tiles whose filters are worth their memory, if there are any. Transformed filters are several times as large as plain
// weights: from beyond the cache, reading them can take longer than transforming anew. Then taps may be worth theirs.
std::optional<TileChoice> choose_filters(const Problem& p, const Plan& direct, const InstructionSet& instruction_set,
                                         int slots) {
  std::optional<TileChoice> best;
  int most_products = 0;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, p)) continue;
    for (const bool lanes : {false, true}) {
      const std::optional<TileChoice> choice = cheaper_tiles(p, instruction_set, slots, {transform, lanes});
      const int products = shape_of(transform).products;
      const double wanted = products > most_products ? worth_more_memory : 1;
      if (!choice || (best && choice->cost >= wanted * best->cost)) continue;
      best = choice;
      most_products = products;
    }
  }
  const std::optional<TileChoice> in_call =
      decide_tiles(p, plain_variant(p), instruction_set, slots, FiltersAhead::in_lanes);
  if (in_call && (!best || in_call->cost <= best->cost)) best = in_call;
  if (!best || best->plan.tiles.ahead == FiltersAhead::nothing) return std::nullopt;
  if (!is_forced(p.algorithm) && best->cost >= direct_cost(direct)) return std::nullopt;
  const std::optional<TileChoice> depthwise = decide_depthwise_tiles(p, plain_variant(p), instruction_set, slots);
  if (depthwise && depthwise->cost <= best->cost) return std::nullopt;
  // The layer above computes very long filters, from the plain weights.
  if (choose_overlap_save(p, Direction::forward, instruction_set)) return std::nullopt;
  return best;
}

// Of plans that take taps from the lanes.
std::optional<TileChoice> cheapest_by_taps(const Problem& p, const InstructionSet& instruction_set, int slots) {
  std::optional<TileChoice> best;
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    if (!is_allowed(transform, p)) continue;
    const std::optional<TileChoice> choice = plan_tiles(p, plain_variant(p), instruction_set, slots, transform,
                                                        TileBlocking::filter_lanes, FiltersAhead::in_lanes);
    if (choice && (!best || choice->cost < best->cost)) best = choice;
  }
  return best;
}

// Vectors of output channels, where they beat `packed`.
std::optional<Plan> cheaper_out_lanes(const Plan& packed, int slots) {
  const Problem& p = packed.problem;
  // Dot products read 16-bit weights as they are, half as many bytes.
  const bool is_wide_dot = packed.algorithm == Algorithm::dot && computes_in_own_type(p.data_type);
  if (packed.algorithm != Algorithm::tap && !is_wide_dot) return std::nullopt;
  std::optional<Plan> lanes = decide_out_lanes(p, *packed.instruction_set, slots);
  if (!lanes) return std::nullopt;
  const bool cheaper = is_wide_dot ? out_lane_cost_with_weights(*lanes) < worth_other_way * dot_cost(packed)
                                   : out_lane_cost(*lanes) < direct_cost(packed);
  return cheaper ? lanes : std::nullopt;
}

std::string instruction_set_named_in(const PackedHeader& header) {
  return {header.instruction_set, strnlen(header.instruction_set, sizeof header.instruction_set)};
}

const char* name_of(int64_t data_type) {
  constexpr const char* names[] = {"float32", "float64", "bfloat16", "float16"};
  return data_type >= 0 && data_type < 4 ? names[data_type] : "unknown";
}

std::string mismatch(const char* what, const std::string& packed, const std::string& asked) {
  return std::string("it was packed for ") + what + " " + packed + ", and this call has " + asked;
}

std::string difference(const PackedHeader& header, const Problem& p, const InstructionSet& instruction_set) {
  if (instruction_set_named_in(header) != instruction_set.name) {
    return "it was packed for the instruction set " + instruction_set_named_in(header) + ", and this process uses " +
           instruction_set.name;
  }
  if (header.data_type != static_cast<int64_t>(p.data_type)) {
    return mismatch("the data type", name_of(header.data_type), name_of(static_cast<int64_t>(p.data_type)));
  }
  const auto shape = [](int64_t out_channels, int64_t in_channels, int64_t kernel_size) {
    std::string text = "(";
    text += std::to_string(out_channels);
    text += ", ";
    text += std::to_string(in_channels);
    text += ", ";
    text += std::to_string(kernel_size);
    return text += ")";
  };
  const std::string packed_shape = shape(header.out_channels, header.group_in_channels, header.kernel_size);
  const std::string asked_shape = shape(p.out_channels, p.in_channels / p.groups, p.kernel_size);
  if (packed_shape != asked_shape) return mismatch("a weight of shape", packed_shape, asked_shape);
  if (header.stride != p.stride) return mismatch("stride", std::to_string(header.stride), std::to_string(p.stride));
  if (header.dilation != p.dilation) {
    return mismatch("dilation", std::to_string(header.dilation), std::to_string(p.dilation));
  }
  if (header.groups != p.groups) return mismatch("groups", std::to_string(header.groups), std::to_string(p.groups));
  return "";
}

bool is_small_enough(const Problem& p) {
  int64_t elements = p.out_channels;
  return !__builtin_mul_overflow(elements, std::max<int64_t>(p.in_channels, 1), &elements) &&
         !__builtin_mul_overflow(elements, p.kernel_size, &elements) && elements <= most_elements;
}

}  // namespace

WeightPacking plan_weight_packing(const Problem& typical, const InstructionSet& instruction_set, int slots,
                                  std::optional<FilterLayout> filters, bool taps_in_lanes) {
  const Problem p = with_contiguous_weight(typical);
  WeightPacking packing{};
  packing.header = lay_out(p, instruction_set);
  packing.direct =
      decide_best_direct(p, plain_variant(p), instruction_set, slots, packing.header.register_tiles_at > 0);
  packing.workspace_bytes = cache_line_bytes;
  const bool automatic = !filters && !taps_in_lanes;
  if (automatic && p.algorithm == AlgorithmRequest::automatic) {
    const std::optional<Plan> lanes = decide_out_lanes(p, instruction_set, slots);
    if (lanes && out_lane_cost(*lanes) < direct_cost(packing.direct)) {
      packing.out_lanes = *lanes;
      lay_out_lanes(p, instruction_set, packing.header);
      return packing;
    }
  }
  const std::optional<TileChoice> best = filters         ? cheaper_tiles(p, instruction_set, slots, *filters)
                                         : taps_in_lanes ? cheapest_by_taps(p, instruction_set, slots)
                                                         : choose_filters(p, packing.direct, instruction_set, slots);
  if (!best) return packing;
  const TileBlocks& tiles = best->plan.tiles;
  if (tiles.ahead == FiltersAhead::in_lanes
          ? lay_out_taps(p, instruction_set, packing.header)
          : lay_out_filters(p, instruction_set, {tiles.transform, has_filter_lanes(tiles)}, packing.header)) {
    packing.tiles = best->plan;
    packing.workspace_bytes = best->plan.workspace_bytes;
  }
  return packing;
}

void pack_weight(const WeightPacking& packing, const void* weight, void* packed, void* workspace,
                 const Parallel& parallel) {
  PackedHeader header = packing.header;
  char* const to = static_cast<char*>(packed);
  std::memset(to, 0, static_cast<size_t>(header.bytes));
  const int64_t elements = header.out_channels * header.group_in_channels * header.kernel_size;
  std::memcpy(to + header.plain_at, weight,
              static_cast<size_t>(elements * storage_bytes(packing.direct.problem.data_type)));
  ForwardOperands operands{nullptr, weight, nullptr, nullptr, workspace, nullptr};
  if (header.register_tiles_at > 0) {
    operands.packed_weight = to + header.register_tiles_at;
    pack_register_tiles(packing.direct, operands, parallel);
  }
  if (header.out_lanes_at > 0) {
    operands.packed_weight = to + header.out_lanes_at;
    pack_out_lanes(packing.out_lanes, operands, parallel);
  }
  if (header.filters_at > 0 || header.taps_at > 0) {
    char* const flag = static_cast<char*>(workspace) + packing.tiles.tiles.flags_at;
    *flag = 0;
    if (header.filters_at > 0) {
      operands.packed_weight = to + header.filters_at;
      transform_all_filters(packing.tiles, operands, parallel);
    } else {
      operands.packed_weight = to + header.taps_at;
      bring_all_filters_into_lanes(packing.tiles, operands, parallel);
    }
    header.filters_fit = *flag == 0;
  }
  header.checksum = checksum_of(header);
  std::memcpy(to, &header, sizeof header);
}

std::string read_packed_weight(const void* packed, size_t size, const Problem& problem,
                               const InstructionSet& instruction_set, PackedWeight& weight) {
  PackedHeader header;
  if (size < header_bytes) return "it has " + std::to_string(size) + " bytes, fewer than any packed weight";
  std::memcpy(&header, packed, sizeof header);
  if (std::memcmp(header.magic, magic, sizeof magic) != 0) return "it is not a packed weight";
  if (header.format != format) return "it was packed by another version of tapconv";
  if (header.checksum != checksum_of(header)) return "its header is damaged";
  if (std::string wrong = difference(header, problem, instruction_set); !wrong.empty()) return wrong;
  if (header.bytes != static_cast<int64_t>(size)) {
    return "it has " + std::to_string(size) + " bytes instead of " + std::to_string(header.bytes);
  }
  if (!is_small_enough(problem)) return "its header is damaged";
  PackedHeader expected = lay_out(problem, instruction_set);
  expected.algorithm = header.algorithm;
  const bool has_filters = header.filters_at != 0;
  const bool knows_algorithm = header.algorithm >= 0 && header.algorithm <= int64_t(AlgorithmRequest::winograd);
  const bool knows_transform = header.transform >= 0 && header.transform < tile_transform_count;
  const FilterLayout layout{static_cast<TileTransform>(header.transform), header.filter_lanes == 1};
  bool alike = knows_algorithm && knows_transform;
  if (header.out_lanes_at != 0) lay_out_lanes(problem, instruction_set, expected);
  if (alike && has_filters) alike = lay_out_filters(problem, instruction_set, layout, expected);
  if (alike && header.taps_at != 0) alike = lay_out_taps(problem, instruction_set, expected);
  if (has_filters || header.taps_at != 0) expected.filters_fit = header.filters_fit != 0;
  expected.checksum = header.checksum;
  if (!alike || std::memcmp(&expected, &header, sizeof header) != 0) {
    return "its header is damaged, or it was packed by another version of tapconv";
  }
  const char* const memory = static_cast<const char*>(packed);
  weight = {static_cast<AlgorithmRequest>(header.algorithm),
            memory + header.plain_at,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            std::nullopt};
  if (header.register_tiles_at > 0) weight.register_tiles = memory + header.register_tiles_at;
  if (header.out_lanes_at > 0) weight.out_lanes = memory + header.out_lanes_at;
  if (header.taps_at > 0 && header.filters_fit != 0) weight.taps = memory + header.taps_at;
  if (has_filters && header.filters_fit != 0) {
    weight.filters = memory + header.filters_at;
    weight.filter_layout = layout;
  }
  return "";
}

namespace {

Plan plan_anew(const Problem& p, const PackedWeight& weight, const InstructionSet& instruction_set, int slots) {
  const ForwardVariant variant = plain_variant(p);
  const bool forced = is_forced(p.algorithm);
  const bool by_taps = weight.taps != nullptr && p.algorithm != AlgorithmRequest::direct;
  const bool by_filters = weight.filter_layout && is_allowed(weight.filter_layout->transform, p);
  if (!by_taps && !by_filters) {
    const Plan packed = decide_forward(p, variant, instruction_set, slots, weight.register_tiles != nullptr);
    if (weight.out_lanes == nullptr || p.algorithm != AlgorithmRequest::automatic) return packed;
    return cheaper_out_lanes(packed, slots).value_or(packed);
  }
  if (!forced) {
    if (const std::optional<Plan> plan = decide_short(p, variant, instruction_set, slots)) return *plan;
  }
  const Plan direct = decide_best_direct(p, variant, instruction_set, slots, weight.register_tiles != nullptr);
  if (direct.algorithm == Algorithm::empty) return direct;
  const std::optional<TileChoice> tiles =
      by_filters ? cheaper_tiles(p, instruction_set, slots, *weight.filter_layout)
                 : decide_tiles(p, variant, instruction_set, slots, FiltersAhead::in_lanes);
  if (!tiles && forced) return decide_forward(p, variant, instruction_set, slots);
  return tiles && (forced || tiles->cost < direct_cost(direct)) ? tiles->plan : direct;
}

}  // namespace

Plan plan_forward_packed(const Problem& problem, const PackedWeight& weight, const InstructionSet& instruction_set,
                         int slots) {
  Problem p = with_contiguous_weight(problem);
  if (p.algorithm == AlgorithmRequest::automatic) p.algorithm = weight.algorithm;
  // What there is of a packed weight decides, with the layout of its filters.
  uint32_t has = (weight.register_tiles != nullptr ? 1u : 0u) + (weight.out_lanes != nullptr ? 2u : 0u) +
                 (weight.taps != nullptr ? 4u : 0u);
  if (const std::optional<FilterLayout>& layout = weight.filter_layout) {
    has += (layout->lanes ? 8u : 0u) + 16u * (1u + static_cast<uint32_t>(layout->transform));
  }
  return remembered({p, {}, &instruction_set, slots, asked_packed + (has << question_bits)},
                    [&] { return plan_anew(p, weight, instruction_set, slots); });
}

void forward_packed(const Plan& plan, const PackedWeight& weight, const void* input, const void* bias, void* output,
                    void* workspace, const Parallel& parallel) {
  const bool by_taps = plan.tiles.ahead == FiltersAhead::in_lanes;
  const void* const packed = plan.algorithm == Algorithm::tiles       ? by_taps ? weight.taps : weight.filters
                             : plan.algorithm == Algorithm::out_lanes ? weight.out_lanes
                                                                      : weight.register_tiles;
  // Packed ahead, it is only read.
  run_forward(plan, {input, weight.plain, bias, output, workspace, const_cast<void*>(packed)}, parallel);
}

}  // namespace tapconv::kernels
