// Overlap-save with large transforms: this file knows the shape and the cost of the method. The layer above carries it
// out, with the transforms of a library.
//
// A row of padded samples is cut into overlapping blocks of `size` samples. The transform of a block times that of a
// filter, transformed back, holds size - taps + 1 outputs, so the cost of an output grows as the logarithm of the
// number of taps. The phases of the stride count as channels with fewer taps each. The phases of the dilation are rows
// of their own: tap q + j * segments of output r + phases * i meets sample q * dilation + r * stride + (i + j) * step.
// The method is T. G. Stockham's, "High-speed convolution and correlation", AFIPS 1966.
#pragma once

#include <optional>

#include "problem.h"

namespace tapconv::kernels {

struct InstructionSet;

struct OverlapSave {
  int64_t size;      // samples of a block
  int64_t segments;  // phases of the stride that a filter has taps in
  int64_t taps;      // of the longest segment
  int64_t phases;    // of the dilation that an output lies in
  int64_t apart;     // outputs between neighbours of one phase of the dilation
  int64_t step;      // samples between neighbours of a row
  int64_t hop;       // results of a block: size - taps + 1
  int64_t blocks;    // of the longest row
  double cost;       // as in core/cost.h
};

// Returns the blocks whose size costs least, for a problem whose sizes are at least 1.
OverlapSave cheapest_overlap_save(const Problem& problem, Direction direction);

// These are the costs of a block, in the units of core/cost.h: the transform of one row, and the products of two
// spectra.
double block_row_cost(int64_t size);
double block_product_cost(int64_t size);

// Returns the blocks that the layer above should carry out, or nothing if the kernels are to compute the problem, whose
// sizes are at least 1. What the problem asks for decides first, then the cost.
std::optional<OverlapSave> choose_overlap_save(const Problem& problem, Direction direction,
                                               const InstructionSet& instruction_set);

}  // namespace tapconv::kernels
