// A launch says what one kernel is told: how its work is divided, and where its tensors lie. It is data only;
// launch_planner.cpp decides.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lowering/input_gradient.h"

namespace tapconv::cuda {

// RowTile says how a row of padded samples lies in shared memory: as segments of evenly spaced samples, so that what
// one tap reads for consecutive outputs is contiguous. Of the taps staged at a time, tap k reads segment k % segments
// from element (k / segments) * tap_distance. There is a segment for each phase of the stride or, where the dilation is
// long, for each tap.
struct RowTile {
  int segments;
  int tap_distance;
  int segment_length;
  int row_length;        // of all segments, with room for whole vectors
  bool vectors;          // rows are contiguous in memory, so that they can be loaded in vectors
  bool rows_inside;      // neighbouring threads load neighbouring rows (channels last), not neighbouring samples
  bool segments_inside;  // neighbouring samples in memory belong to different segments
};

// A grid of `blocks` blocks, which may take several launches: one has at most `largest_grid`.
struct Grid {
  int64_t blocks;
  int threads;
  int shared_bytes;
};

inline constexpr int64_t largest_grid = 2147483647;

// A forward problem (input_gradient.h in csrc/kernels makes them of gradients as well). A block computes `time_block`
// outputs of `out_block` output channels of one sample and group (depthwise: of one sample), staging `channel_block`
// input channels and `tap_block` taps at a time.
struct ForwardLaunch {
  kernels::Problem problem;
  kernels::ForwardVariant variant;
  Grid grid;
  bool wide_index;       // offsets within a row need 64 bits
  bool writes_in_order;  // whole rows of the output are contiguous, in its own type, so that vectors can be stored
  RowTile rows;
  int tap_block;
  int channel_block;
  int out_block;
  int time_block;
  int64_t out_blocks;  // of a group (depthwise: of all groups)
  int64_t time_blocks;
  int out_threads;     // direct: threads side by side over output channels; the others are over times
  int out_per_thread;  // direct
  int spacing;         // depthwise: between the outputs of a thread
};

// Borders are gradients of padded positions, packed [sample][channel][position] in the wide type, to be added to those
// of the samples they are copies of. With mode `zeros` there are none.
struct Borders {
  kernels::PaddingMode mode;
  int64_t input_length;
  int64_t left_length;
  int64_t right_length;
  int64_t first;  // element e of an output is sample first + e * apart
  int64_t apart;
  const void* left;
  const void* right;
};

struct ForwardArguments {
  const void* input;
  const void* weight;
  const void* bias;  // may be null
  void* output;
  Borders borders;
};

// Writes the borders alone, or zeros, to every position of [batch][channels][length].
struct FillLaunch {
  Grid grid;
  kernels::DataType data_type;
  bool wide;  // elements have the wide type
  int64_t batch;
  int64_t channels;
  int64_t length;
  kernels::ActivationStrides strides;
};

struct FillArguments {
  void* output;
  Borders borders;
};

// For a weight gradient, a block computes `out_block` output channels, `channel_block` input channels and `tap_block`
// taps of one group, for one part of the steps. Each step is `time_block` outputs of one sample.
struct GradWeightLaunch {
  kernels::Problem problem;
  Grid grid;
  bool wide_index;
  RowTile rows;
  int out_block;
  int channel_block;
  int tap_block;
  int time_block;
  int64_t out_blocks;  // of a group
  int64_t channel_blocks;
  int64_t tap_blocks;
  int64_t time_blocks;
  int64_t parts;
  int64_t steps_per_part;
  int out_threads;  // side by side over output channels,
  int tap_threads;  // over (channel, tap) pairs,
  int slices;       // and over times
  int out_per_thread;
  int gradient_stride;  // between the gradients of neighbouring times, in shared memory
};

struct GradWeightArguments {
  const void* grad_output;
  const void* input;
  void* parts;       // [part][out_channel][in_channel][tap], in the wide type
  void* bias_parts;  // [part][out_channel], or null
};

// Adds up the parts, in order. Elements are [outer][middle][inner] at the strides given.
struct SumPartsLaunch {
  Grid grid;
  kernels::DataType data_type;
  int64_t parts;
  int64_t outer;
  int64_t middle;
  int64_t inner;
  kernels::WeightStrides strides;
};

struct SumPartsArguments {
  const void* parts;
  void* sums;
};

}  // namespace tapconv::cuda
