// Some filters have sums that are exact when they are added up directly, and that a transform must not touch.
#pragma once

#include <cstdint>

#include "kernels/core/forward_variant.h"

namespace tapconv::kernels {

enum class FilterKind : uint8_t {
  ordinary,
  single_taps,  // at most one tap of each input channel is not zero: the filter copies and scales
  whole,        // all taps are whole numbers: of samples that are whole too, sums are whole
};

// These are the bits of the flag that each tile has.
inline constexpr int uneven_tile = 1;  // it holds numbers that must not be transformed together
inline constexpr int whole_tile = 2;   // some output of it sees whole numbers only

// Looks at the filters of a forward problem and writes kinds[m] for each output channel, then, at kinds[out_channels +
// g], whether group g has whole ones. It reads no further than to the first number that decides, and returns false if
// all filters are ordinary.
bool find_filter_kinds(const Problem& problem, const ForwardVariant& variant, const void* weight, FilterKind* kinds);

// Returns how many bytes the kinds of a problem's filters take.
constexpr int64_t filter_kind_bytes(const Problem& problem) { return problem.out_channels + problem.groups; }

}  // namespace tapconv::kernels
