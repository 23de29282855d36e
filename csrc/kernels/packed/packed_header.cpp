#include "packed_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/few_outputs/out_lane_plan.h"
#include "kernels/algorithms/matrix/matrix_plan.h"
#include "kernels/algorithms/tiles/tile_cut.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {
namespace {

constexpr char magic[8] = {'t', 'a', 'p', 'c', 'o', 'n', 'v', 'W'};
constexpr int64_t format = 3;
constexpr size_t header_bytes = sizeof(PackedHeader);
static_assert(std::is_trivially_copyable_v<PackedHeader>);

// A weight with more elements than this is refused before sizes are computed from it.
constexpr int64_t max_elements = int64_t(1) << 40;

std::string instruction_set_named_in(const PackedHeader& header) {
  return {header.instruction_set, strnlen(header.instruction_set, sizeof header.instruction_set)};
}

const char* data_type_named_in(const PackedHeader& header) {
  return std::in_range<uint8_t>(header.data_type) ? name_of(static_cast<DataType>(header.data_type)) : "unknown";
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
    return mismatch("the data type", data_type_named_in(header), name_of(p.data_type));
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
         !__builtin_mul_overflow(elements, p.kernel_size, &elements) && elements <= max_elements;
}

}  // namespace

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

// Fills in the header's fields for filters. Returns false if the layout does not fit the problem.
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

// Does the same for taps in the lanes.
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
  header.tile_row_count = ceil_div(group_out, register_tiles(instruction_set.register_count).rows);
  const int64_t elements = p.out_channels * header.group_in_channels * p.kernel_size;
  header.plain_at = header_bytes;
  header.bytes = header.plain_at + static_cast<int64_t>(aligned_bytes(elements * storage_bytes(p.data_type)));
  // A single output channel's weights already lie as a register tile reads them.
  if (sums_by_matrices(p, instruction_set)) {
    header.register_tiles_at = header.bytes;
    header.bytes += static_cast<int64_t>(aligned_bytes(matrix_weight_bytes(p)));
  } else if (group_out > 1 || !computes_in_own_type(p.data_type)) {
    header.register_tiles_at = header.bytes;
    const int64_t rows = ceil_div(header.group_in_channels, row_channels_of(p, instruction_set));
    header.bytes +=
        static_cast<int64_t>(aligned_bytes(p.out_channels * rows * p.kernel_size * compute_bytes(p.data_type)));
  }
  return header;
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

}  // namespace tapconv::kernels
