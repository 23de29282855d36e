// Which samples may be transformed together.
//
// A transform's rounding error reaches all results, and is as large as the largest samples make it, while a result of a
// convolution sees only a window of them. Where every window holds a sample that is not much smaller than the largest
// one, the error is as good as that of a direct sum. Else the samples are divided into levels by the quietest window
// that sees them. Each level is transformed on its own, and added only to the results of windows as loud; no other sees
// a sample of it. A few samples, or the results of a few windows, are summed directly instead.
#pragma once

#include <cstdint>
#include <vector>

namespace tapconv::ops {

// The samples that no window sees whose largest sample is not above `above`, but one that is not above `upto`. They are
// to be multiplied by 2^-exponent while they are transformed.
template <class Scalar>
struct Level {
  Scalar above;
  Scalar upto;
  int exponent;
};

// A sample of a row.
template <class Scalar>
struct Sample {
  int64_t row;
  int64_t at;
  Scalar value;
};

struct Window {
  int64_t kind;
  int64_t at;
};

template <class Scalar>
struct Levels {
  std::vector<Level<Scalar>> levels;
  std::vector<Scalar> quietest;      // by position: the largest sample of the quietest window that sees it
  std::vector<Sample<Scalar>> loud;  // in no level
  std::vector<Window> direct;        // whose results are to be summed directly

  // Is the sample of this size at this position in the level?
  bool has(const Level<Scalar>& level, int64_t at, Scalar size) const {
    const Scalar quiet = quietest[at] > size ? quietest[at] : size;
    return static_cast<int>(quiet > level.above) & static_cast<int>(quiet <= level.upto);
  }
};

// In units of any kind: a transform of all rows and back, the direct sums of a window, the products of a sample.
struct LevelCosts {
  double transform;
  double window;
  double sample;
};

// Can transforms and products of spectra of such samples leave the range of the type, or come near its end?
template <class Scalar>
bool is_ordinary(Scalar largest);

// Rows of `size` samples, the first `count` of which may not be zero; all are finite.
template <class Scalar>
struct Samples {
  const Scalar* rows;
  int64_t row_count;
  int64_t count;
  int64_t size;
};

template <class Scalar>
struct Measured {
  Scalar largest = 0;
  double mean_square = 0;  // of the row where it is largest
};

// The least that the largest sample of a window may be for a transform of such samples, by filters whose largest gain
// is `gain` times the sum of their magnitudes.
template <class Scalar>
Scalar least_window(const Measured<Scalar>& samples, double gain);

template <class Scalar>
Measured<Scalar> measure_samples(const Samples<Scalar>& samples);

// `all` are the measures of all samples. `windows` holds for each kind of windows the largest sample of each, which
// becomes zero where the window is to be summed directly. Adds to `plan`.
template <class Scalar>
void plan_levels(const Samples<Scalar>& samples, const Measured<Scalar>& all, double gain,
                 std::vector<std::vector<Scalar>>& windows, const LevelCosts& costs, Levels<Scalar>& plan);

}  // namespace tapconv::ops
