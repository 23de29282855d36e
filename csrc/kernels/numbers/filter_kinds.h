// Filters whose sums are exact when they are added up directly, and must not lose that by a transform.
#pragma once

#include <cstdint>

#include "kernels/core/forward_variant.h"

namespace tapconv::kernels {

enum class FilterKind : uint8_t {
  ordinary,
  single_taps,  // no more than one tap of each input channel is not zero: the filter copies and scales
  whole,        // whole numbers: with samples of whole numbers, sums are whole numbers
};

// Bits of a tile's flag.
inline constexpr int uneven_tile = 1;  // it holds numbers that must not be transformed together
inline constexpr int whole_tile = 2;   // some output of it sees whole numbers only

// Looks at the filters of a forward problem: kinds[m] for each output channel, then, at kinds[out_channels + g],
// whether group g has whole ones. Reads no further than to the first number that decides. False if all are ordinary.
bool find_filter_kinds(const Problem& problem, const ForwardVariant& variant, const void* weight, FilterKind* kinds);

// Bytes that the kinds of a problem's filters take.
constexpr int64_t filter_kind_bytes(const Problem& problem) { return problem.out_channels + problem.groups; }

}  // namespace tapconv::kernels
