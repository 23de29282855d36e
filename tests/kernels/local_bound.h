// The bound that docs/reliability.md states: what an element of a result may be off by depends on what it sees.
#pragma once

#include "oracle.h"

namespace tapconv::kernels::test {

// How many units of roundoff of the local magnitude every algorithm stays within.
inline constexpr double local_roundings = 64;

// What the error of each element of a result is measured by, in the result's memory order:
//   forward      sum |w[o]| * largest |x| under its taps, over the channels of its group, and |bias[o]|
//   grad_input   sum |w[:, c]| * largest |grad_output| that reaches it
//   grad_weight  for each sample, sum |grad_output[o]| * largest |x[c]| that its tap meets
// It is zero where only zeros are seen, and the element is exact there.
Tensor local_magnitude(Direction direction, const Problem& problem, const Arguments& arguments);

// The largest error of `actual` in units of roundoff of its local magnitude, beyond the one rounding of the exact sum
// to the data type; infinity where an element that sees only zeros is not exact.
double local_error(const Problem& problem, const Sums& exact, const Tensor& magnitude, const Tensor& actual);

}  // namespace tapconv::kernels::test
