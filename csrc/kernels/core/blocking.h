// What the plans of all algorithms share: their parts of the caches, and how much work is worth dividing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "integers.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/numbers/storage.h"
#include "kernels/problem.h"

namespace tapconv::kernels {

inline constexpr int64_t cache_line_bytes = 64;

// These parts of the caches are safe on every x86-64 server of the last ten years, with 32 KiB of L1 and 512 KiB of L2
// or more.
inline constexpr int64_t l2_rows_bytes = 160 * 1024;  // the rows of a block

// Less work than this, some microseconds, is done before a second thread wakes up.
inline constexpr double min_operations_per_slot = 1e6;
// With less work than this, the transforms of a weight gradient by tiles cannot pay for themselves.
inline constexpr double min_operations_of_tiles = 2e6;
// With more slots than tasks some would idle. With this many tasks for each slot, the last ones to finish differ
// little.
inline constexpr int64_t tasks_per_slot = 4;

inline size_t aligned_bytes(int64_t bytes) { return static_cast<size_t>(rounded_up(bytes, cache_line_bytes)); }

// Returns how many (channel, tap) pairs short tiles hold side by side for so many outputs: as many as leave few lanes
// of two vectors empty. It is zero if there are too many outputs, or too few.
inline int short_tile_pairs(int64_t outputs, int64_t width) {
  for (int pairs = 2; pairs <= std::min<int64_t>(largest_short_tile_pairs, width); pairs *= 2) {
    const int64_t fitting = 2 * width / pairs;
    if (outputs <= fitting && 2 * outputs > fitting) return pairs;
  }
  return 0;
}

// Returns how many of the slots the work is worth.
inline int slots_worth(const Problem& p, int slots) {
  const double worth = operations_of(p) / min_operations_per_slot;
  return worth < slots ? std::max(static_cast<int>(worth), 1) : slots;
}

}  // namespace tapconv::kernels
