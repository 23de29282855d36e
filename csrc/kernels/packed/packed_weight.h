// Weights packed ahead of the calls that use them are one flat piece of memory that can be stored, copied and moved to
// another process on a machine of the same kind.
//
// It holds a header, the weights as they are, and the layouts that a call would otherwise make of them. These are
// register tiles for the direct sum, and filters for tiles: under one transform or, where those would take longer to
// read than to make, with their taps in the lanes. For a few outputs there are vectors of output channels instead. None
// of them depends on the input, so that any length and batch can use them, and each call takes what is cheapest for it.
//
// A reader trusts nothing in the header. It computes the header that such a memory would have from what the call asks,
// and takes the memory only if the two are alike and the size is right to the byte. The weights themselves carry no
// checksum, since reading them at every call would cost as much as packing: altered weights give other sums, and
// nothing worse.
#pragma once

#include <optional>
#include <string>

#include "kernels/algorithms.h"
#include "kernels/conv1d.h"

namespace tapconv::kernels {

// The header is plain data, stored as it lies here. Positions and sizes are in bytes from the start, 0 for what is
// absent. Distances are in elements of the compute type.
struct PackedHeader {
  char magic[8];
  int64_t format;  // raised when a layout changes
  char instruction_set[16];
  int64_t data_type;
  int64_t algorithm;  // what calls may choose
  int64_t out_channels;
  int64_t group_in_channels;
  int64_t kernel_size;
  int64_t stride;
  int64_t dilation;
  int64_t groups;
  int64_t tile_row_count;
  int64_t plain_at;
  int64_t register_tiles_at;
  int64_t filters_at;
  int64_t transform;
  int64_t transform_products;
  int64_t filter_tile;
  int64_t filter_plane;
  int64_t filters_fit;  // 0 if they would leave the transform's range, and calls sum directly
  int64_t bytes;        // of everything
  int64_t out_lanes_at;
  int64_t filter_lanes;  // 1 if the filters lie for output channels in the vector lanes
  int64_t taps_at;       // taps in the lanes
  int64_t unused[6];
  uint64_t checksum;  // of the header before it
};
static_assert(sizeof(PackedHeader) == 256);

// Says what is packed. It is decided from the shape of the weight and from one problem that is typical of the calls,
// whose lengths and batch choose the transform. The weight has the problem's type and lies contiguously.
struct WeightPacking {
  PackedHeader header;
  DirectPlan direct;
  OutLanePlan out_lanes;
  TilePlan tiles;  // by filters, or by taps in the lanes
  size_t workspace_bytes;
};

// Filters are transformed as `filters` says, if it is given, whether it pays or not, as long as it fits. With
// `taps_in_lanes`, taps are brought into the lanes.
WeightPacking plan_weight_packing(const Problem& typical, const InstructionSet& instruction_set, int slots,
                                  std::optional<FilterLayout> filters = std::nullopt, bool taps_in_lanes = false);

// `packed` has packing.header.bytes. It and `workspace` are aligned to 64 bytes.
void pack_weight(const WeightPacking& packing, const void* weight, void* packed, void* workspace,
                 const Parallel& parallel);

// What a packed weight offers to calls. Its pointers point into the packed memory, and are null for what is absent.
struct PackedWeight {
  AlgorithmRequest algorithm;
  const void* plain;
  const void* register_tiles;
  const void* out_lanes;
  const void* taps;
  const void* filters;
  std::optional<FilterLayout> filter_layout;
};

// Reads `size` bytes at `packed`, aligned to 8, for calls of the problem's type, weight shape, stride, dilation and
// groups. Returns what is wrong with them as a sentence, or nothing after filling in `weight`.
std::string read_packed_weight(const void* packed, size_t size, const Problem& problem,
                               const InstructionSet& instruction_set, PackedWeight& weight);

// Returns what such a weight has for the choice among algorithms.
Prepared prepared_of(const PackedWeight& weight);

// These do what plan_forward and forward do, with weights that were packed ahead. The problem's weight_strides do not
// count. Where the problem leaves the algorithm open, the one counts that was asked for when packing.
Plan plan_forward_packed(const Problem& problem, const PackedWeight& weight, const InstructionSet& instruction_set,
                         int slots);
void forward_packed(const Plan& plan, const PackedWeight& weight, const void* input, const void* bias, void* output,
                    void* workspace, const Parallel& parallel);

}  // namespace tapconv::kernels
