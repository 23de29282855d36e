// This file says which samples may be transformed together.
//
// A transform's rounding error reaches all results, and is as large as the largest samples make it, while a result of a
// convolution sees only a window of them. Where every window holds a sample that is not much smaller than the largest
// one, the error is as good as that of a direct sum. Otherwise the samples are divided by magnitude into levels, each
// of which is transformed on its own and added only to the results that see a sample as large. A few loud samples, or
// the results of a few windows, are summed directly instead.
#pragma once

#include <cstdint>
#include <vector>

namespace tapconv::composed {

// A level is the samples with above < |x| <= upto. They are multiplied by 2^-exponent while they are transformed, and
// serve the windows whose largest sample is above `above`.
template <class Scalar>
struct Level {
  Scalar above;
  Scalar upto;
  int exponent;
};

// A place is that of a sample (of an input row) or of a window (of a kind of windows).
struct Place {
  int64_t row;
  int64_t at;
};

template <class Scalar>
struct Levels {
  std::vector<Level<Scalar>> levels;
  std::vector<Place> loud;    // samples in no level
  std::vector<Place> direct;  // windows whose results are to be summed directly
};

// Costs are in units of any kind: those of a transform of all rows and back, of the direct sums of a window, and of the
// products of a sample.
struct LevelCosts {
  double transform;
  double window;
  double sample;
};

// Returns the least that the largest sample of a window may be, for a transform of samples up to `largest` whose mean
// square is `mean_square`, by filters whose largest gain is `gain` times the sum of their magnitudes.
template <class Scalar>
Scalar min_window(Scalar largest, double mean_square, double gain);

// Says whether transforms and products of spectra of such samples can leave the range of the type, or come near its
// end.
template <class Scalar>
bool is_ordinary(Scalar largest);

// Adds to `plan` the levels of `rows` of `size` samples, the first `count` of which may not be zero; all are finite.
// `windows` holds for each kind of windows the largest sample of each. Those that are to be summed directly become
// zero.
template <class Scalar>
void plan_levels(const Scalar* rows, int64_t row_count, int64_t count, int64_t size, double gain,
                 std::vector<std::vector<Scalar>>& windows, const LevelCosts& costs, Levels<Scalar>& plan);

}  // namespace tapconv::composed
