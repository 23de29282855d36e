// The data types of the kernels: what a stored number means, and which one is nearest to a double. The short ones are
// written out bit by bit, independent of the kernels' own conversions, which they check.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

struct Format {
  size_t bytes;
  int significand_bits;  // with the hidden one
  int exponent_bits;
};

const Format& format_of(DataType type);

// Half the distance from 1 to the next larger number: the largest relative error of one rounding.
double unit_roundoff(DataType type);

// The same of the type that sums are kept in: its own for float32 and float64, float32 for the two short ones.
double accumulation_roundoff(DataType type);

// The nearest number of the type, ties to even; infinity beyond the largest.
double nearest(DataType type, double value);

// `bits` holds one number in its lowest bytes.
uint64_t encode(DataType type, double value);
double decode(DataType type, uint64_t bits);

}  // namespace tapconv::kernels::test
