// All numbers of the cost model that depend on the processor. docs/costs.md says how to time and to fit them.
//
// The unit of costs is the time of one vector multiply-add at full speed, half a cycle where a processor starts two in
// each. A price says how many of these units one thing takes, and its comment which thing; a "line" is a cache line of
// numbers in the compute type. Costs are sums of such things times their prices. Some numbers are of other kinds:
// - a factor multiplies other prices,
// - a size, in bytes or samples, says up to where a cache is near,
// - a margin says by how much one way has to beat another, since estimates are only so good.
//
// Three sorts of constants are not here. Shares of the caches by which plans cut their blocks (core/blocking.h and each
// plan) are safe on every processor, and results depend on them. The least work that is worth a thread is a matter of
// the system's threads rather than of arithmetic. And how matrix tiles cut the reduction (matrix_plan.cpp) is the
// layout of packed weights, which another processor with the same instruction set must read in the same way.
#pragma once

#include "processor.h"

namespace tapconv::kernels {

// Rows that are copied (rows/rows.h).
struct RowPrices {
  double piece;          // a segment of one sample and channel, however short
  double folded_vector;  // the same where rows are folded by vectors
};

// Caches, as several algorithms meet them.
struct CachePrices {
  double near_filter_bytes;     // size: filters and tiles of more come from beyond the second-level cache at each read
  double near_transform_bytes;  // size: samples and spectrum of more outgrow the first-level cache
  double large_transform;       // factor: such a transform takes so many times as long
  // Reading a line of filters that were packed or transformed before the call, from beyond the second-level cache, and
  // beyond what one core may expect of the third.
  double near_packed_line;
  double far_packed_line;
  double far_packed_bytes;  // size: where the latter begins
};

// The direct sum by register tiles (algorithms/direct), whose multiply-adds cost one each.
struct DirectPrices {
  double call;              // a register tile called: its sums are loaded and stored
  double input_line;        // a line of the input
  double strided_sample;    // a sample copied by itself, since a stride lies between it and the next
  double partial_line;      // a line of sums that are not written straight into the output
  double partial_row_line;  // the same for a single output channel, whose sums stay at hand
  double weight;            // a weight packed in the call
};

// The direct sum by matrices (algorithms/matrix).
struct MatrixPrices {
  double step;            // a product of two tiles
  double call;            // the weights of the steps at a time, for one tile of sums
  double row;             // 16 lanes of a row, paired
  double transposed_row;  // the same, transposed
  double output;          // 16 sums brought to their place
  double weight;          // a weight packed in the call
};

// The sum by transformed tiles (algorithms/tiles). "A sample" of a Fourier transform is one of its size * log2(size).
struct TilePrices {
  double product;                   // a multiply-add on spectra
  double winograd_product;          // on Winograd's transforms
  double shared_winograd_product;   // on those of shared tiles
  double call;                      // a register tile called
  double input;                     // a sample of a vector of inputs, transformed
  double output;                    // of outputs, transformed back
  double filter;                    // of filters
  double winograd_input;            // by Winograd's transform, for each of its size
  double winograd_output;           //
  double winograd_filter;           //
  double vector;                    // a vector of tiles whatever its size: calls, prefetches, the ends of copies
  double filter_vector;             // a vector of filters whatever its size
  double lane_filter_vector;        // the same where taps were brought into the lanes before the call
  double filter_product;            // a product of a filter put to a place of its own
  double gather_piece;              // a piece that a sample of a vector of dilated inputs is put together from
  double scatter_piece;             // the same of outputs
  double input_line;                // a line of the input
  double output_line;               // a line of the output
  double strided_sample;            // a sample copied by itself
  double strided_output;            // an output put in order, then written by itself
  double shared_line;               // a line of shared tiles beyond the second-level cache
  double far_line;                  // a line of any block of tiles beyond it, for each time that it is read
  double far_shared_winograd_line;  // the same where it is prefetched
  double far_sum_line;              // a line of sums beyond it, for each block of input channels added to them
  double near_filter_line;          // a line of filters, each time that it is written or read, beyond that cache
  double far_filter_line;           // the same beyond what one core may expect of the third-level cache
  double far_filter_bytes;          // size: where the latter begins
};

// Depthwise filters by transforms (algorithms/depthwise_tiles).
struct DepthwiseTilePrices {
  double transform;       // a sample of a transform, of size * log2(size), with the copies to and from lanes
  double transform_byte;  // added for each byte of a vector: fewer wide ones stay in the first-level cache
  double product;         // a product of spectra, by size
  double dilated_sample;  // a sample or an output copied by itself, where phases of a dilation are
  double narrow_line;     // a line of outputs that are narrowed, and of as many inputs widened
};

// A handful of outputs (algorithms/few_outputs), which take as long as reading the weights.
struct FewOutputPrices {
  double weight_line;        // factor: a line of weights from anywhere beyond the first-level cache
  double dot_weight;         // dot products: a vector of weights, times a line and the columns
  double dot_far_weight;     // added for each vector, times a line, where weights come from far
  double far_weight_bytes;   // size: from where on they do
  double near_column_bytes;  // size: columns of more outgrow the first-level cache
  double out_lane_time;      // lanes of output channels: an output of a tile, for each vector of weights
  double out_lane_call;      // a call
};

// The weight gradient by direct sums (algorithms/grad_weight).
struct GradWeightPrices {
  double channel_lane_product;  // a multiply-add with lanes over output channels
  double time_lane_product;     // with lanes over times: rows are loaded at any offset, one load for each
};

// The weight gradient by tiles (algorithms/grad_weight_tiles).
struct GradWeightTilePrices {
  double transform;           // a sample of a transform, of size * log2(size)
  double transform_sample;    // by size
  double transform_product;   // by product
  double gradient_transform;  // factor: a transform of gradients takes so many times as long
  double product;             // a multiply-add
  double sum;                 // a vector of sums, for each block of tiles that reads and writes it
  double copied_vector;       // a vector of samples copied
  double strided_sample;      // a sample copied by itself
  double gradient;            // a vector of gradients transposed
  double beyond_caches;       // factor: what tiles lose to caches beyond what is counted here
};

// Large transforms (overlap_save.h), which a library carries out: an instruction set that is forced changes nothing.
struct LargeTransformPrices {
  double transform;      // a sample of a row's transform, of size * log2(size)
  double far_transform;  // the same beyond what the second-level cache holds
  double near_samples;   // size: where the latter begins
  double sample;         // a sample copied
  double product;        // a product of two spectra, by frequency
};

// Planning tiles takes microseconds, time that a problem whose direct sum takes hardly longer cannot win back.
struct ChoicePrices {
  double worth_planning_tiles;  // margin: the least cost of a direct sum beside which tiles are planned
  double worth_sharing;         // margin: shared tiles, of others with prepared filters
  double worth_out_lanes;       // margin: lanes of output channels, of dot products
  double worth_more_memory;     // margin: packed filters of a transform, of a smaller one's
};

struct Prices {
  RowPrices rows;
  CachePrices caches;
  DirectPrices direct;
  MatrixPrices matrix;
  TilePrices tiles;
  DepthwiseTilePrices depthwise_tiles;
  FewOutputPrices few_outputs;
  GradWeightPrices grad_weight;
  GradWeightTilePrices grad_weight_tiles;
  LargeTransformPrices large_transforms;
  ChoicePrices choices;
};

// What every class of processors has that no prices of its own were fitted for.
extern const Prices usual_prices;

const Prices& prices_of(ProcessorClass processor);

}  // namespace tapconv::kernels
