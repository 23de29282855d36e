// This file plans long depthwise filters by Fourier transforms (depthwise_tiles.h), and their weight gradient
// (grad_weight_depthwise_tiles.h).
#pragma once

#include "kernels/algorithms/grad_weight/grad_weight_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/answer.h"

namespace tapconv::kernels {

// DepthwiseTiles say how a long depthwise filter is cut.
struct DepthwiseTiles {
  TileTransform transform;
  int64_t filter_parts;
  int64_t part_taps;  // of all but the last
  int64_t outputs;    // of one block
  int64_t dilation_phases;
  int64_t blocks;           // of outputs, in each phase of a sample
  int64_t gradient_blocks;  // of outputs whose products are added up at a time (weight gradient only)
  int64_t ring;             // spectra of inputs that a task holds
  int64_t lane_groups;      // how many vectors of output channels there are
  int64_t sample_parts;     // ranges of samples, which are tasks for each lane group
  int64_t time_parts;       // and ranges of output blocks

  int64_t piece;       // samples of which the largest is kept (depthwise_peaks.h)
  int64_t repair_row;  // elements of each row that channels are looked at one by one in

  size_t kinds_at;     // of filters (filter_kinds.h)
  size_t flags_at;     // for the weight gradient, one byte: 1 where sums may overflow
  size_t fallback_at;  // workspace to compute it without transforms then
  size_t slot_filters_at;
  size_t slot_inputs_at;
  size_t slot_sums_at;
  size_t slot_samples_at;  // of inputs
  size_t slot_lanes_at;    // samples of filters, gradients and outputs
  size_t slot_rows_at;
  size_t slot_pointers_at;
  size_t slot_peaks_at;
  size_t slot_repair_at;
  size_t slot_seen_at;  // weight gradient only
};

// So many output blocks of a long depthwise filter are summed at a time.
inline constexpr int depthwise_tiles_together = 4;

// Of so many blocks of grad_output, the products with a long depthwise filter's input are added up in registers.
inline constexpr int64_t gradient_blocks_together = 8;

struct DepthwiseTilePlan : Call {
  DepthwiseTiles depthwise;
};

struct GradWeightDepthwiseTilePlan : DepthwiseTilePlan {
  GradWeightPlan fallback;  // for numbers that must not be transformed, with a workspace at depthwise.fallback_at
};

// Plans one transform.
Answer<DepthwiseTilePlan> plan_depthwise_tiles(const Problem& problem, const ForwardVariant& variant,
                                               const InstructionSet& instruction_set, int slots,
                                               TileTransform transform);

// Returns the cheapest plan of all transforms that the problem's request allows.
Answer<DepthwiseTilePlan> plan_cheapest_depthwise_tiles(const Problem& problem, const ForwardVariant& variant,
                                                        const InstructionSet& instruction_set, int slots);

// These do the same for the weight gradient.
Answer<GradWeightDepthwiseTilePlan> plan_grad_weight_depthwise_tiles(const Problem& problem,
                                                                     const InstructionSet& instruction_set, int slots,
                                                                     TileTransform transform);
Answer<GradWeightDepthwiseTilePlan> plan_cheapest_grad_weight_depthwise_tiles(const Problem& problem,
                                                                              const InstructionSet& instruction_set,
                                                                              int slots);

}  // namespace tapconv::kernels
