// Arithmetic of whole numbers, by which work is divided into blocks and memory into lines.
//
// All of it is inlined always, so that the object of an instruction set has no copy of a function that a linker could
// hand to a processor without that set; std::min and std::max do not promise that.
#pragma once

#include <cstdint>

namespace tapconv::kernels {

[[gnu::always_inline]] constexpr int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] constexpr int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

[[gnu::always_inline]] constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The least multiple of `multiple` that is no less than `value`.
[[gnu::always_inline]] constexpr int64_t rounded_up(int64_t value, int64_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

// `total` is to be divided into blocks of at most `block`: the size that makes them equal.
[[gnu::always_inline]] constexpr int64_t even_block(int64_t total, int64_t block) {
  return ceil_div(total, ceil_div(total, block));
}

}  // namespace tapconv::kernels
