#include "composed/accuracy/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tapconv::composed {
namespace {

// The errors of transforms were measured with numbers made to hurt (steps, clicks, matched filters, filters of one
// large tap): up to 6 roundings of the largest sample and up to 18 of the root mean square times the gain, for blocks
// of 2^17 samples, and half of that for 2^12. An eighth keeps them below 48 roundings of what a window sees.
constexpr double largest_ratio = 8;
constexpr double bits_of_ratio = 3;

// Says how large the samples up to `upto` are.
template <class Scalar>
struct Remainder {
  Scalar largest = 0;
  double mean_square = 0;  // of the row where it is largest
};

template <class Scalar>
Remainder<Scalar> measure_remainder(const Scalar* rows, int64_t row_count, int64_t count, int64_t size, Scalar upto) {
  Remainder<Scalar> all;
  for (int64_t r = 0; r < row_count; ++r, rows += size) {
    double squares = 0;
    for (int64_t i = 0; i < count; ++i) {
      const Scalar x = std::abs(rows[i]);
      const Scalar kept = x <= upto ? x : Scalar(0);
      all.largest = std::max(all.largest, kept);
      squares += static_cast<double>(kept) * static_cast<double>(kept);
    }
    all.mean_square = std::max(all.mean_square, squares / static_cast<double>(size));
  }
  return all;
}

template <class Scalar>
void find_loud(const Scalar* rows, int64_t row_count, int64_t count, int64_t size, Scalar above, Scalar upto,
               double most, std::vector<Place>& loud) {
  for (int64_t r = 0; r < row_count; ++r, rows += size) {
    for (int64_t i = 0; i < count; ++i) {
      const Scalar x = std::abs(rows[i]);
      if (x <= above || x > upto) continue;
      if (static_cast<double>(loud.size()) >= most) return;
      loud.push_back({r, i});
    }
  }
}

// These are the windows that see something, but nothing as large as `least`.
template <class Scalar>
struct Quiet {
  double count = 0;
  Scalar largest = std::numeric_limits<Scalar>::infinity();  // of the quietest window
};

template <class Scalar>
Quiet<Scalar> find_quiet(const std::vector<std::vector<Scalar>>& windows, Scalar least) {
  Quiet<Scalar> quiet;
  for (const std::vector<Scalar>& kind : windows) {
    for (const Scalar window : kind) {
      if (window <= 0 || window >= least) continue;
      quiet.count += 1;
      quiet.largest = std::min(quiet.largest, window);
    }
  }
  return quiet;
}

template <class Scalar>
void sum_directly(std::vector<std::vector<Scalar>>& windows, Scalar least, std::vector<Place>& direct) {
  for (size_t kind = 0; kind < windows.size(); ++kind) {
    for (size_t j = 0; j < windows[kind].size(); ++j) {
      Scalar& window = windows[kind][j];
      if (window <= 0 || window >= least) continue;
      direct.push_back({static_cast<int64_t>(kind), static_cast<int64_t>(j)});
      window = 0;
    }
  }
}

template <class Scalar>
Level<Scalar> level_of(Scalar above, Scalar upto) {
  return {above, upto, is_ordinary(upto) ? 0 : std::ilogb(upto)};
}

}  // namespace

template <class Scalar>
Scalar min_window(Scalar largest, double mean_square, double gain) {
  const double m = static_cast<double>(largest);
  return static_cast<Scalar>(std::min(std::max(m / largest_ratio, std::sqrt(mean_square) * gain), m / 2));
}

template <class Scalar>
bool is_ordinary(Scalar largest) {
  constexpr int most = sizeof(Scalar) == 8 ? 300 : 40;
  return largest == 0 || (largest <= std::ldexp(Scalar(1), most) && largest >= std::ldexp(Scalar(1), -most));
}

template <class Scalar>
void plan_levels(const Scalar* rows, int64_t row_count, int64_t count, int64_t size, double gain,
                 std::vector<std::vector<Scalar>>& windows, const LevelCosts& costs, Levels<Scalar>& plan) {
  Scalar upto = std::numeric_limits<Scalar>::max();
  for (;;) {
    const Remainder<Scalar> rest = measure_remainder(rows, row_count, count, size, upto);
    if (rest.largest == 0) return;
    const Scalar least = min_window(rest.largest, rest.mean_square, gain);
    const Quiet<Scalar> quiet = find_quiet(windows, least);
    if (quiet.count == 0) return plan.levels.push_back(level_of(Scalar(0), rest.largest));
    const double direct_cost = quiet.count * costs.window;
    const double max_loud = std::min(direct_cost, costs.transform) / costs.sample;
    std::vector<Place> loud;
    find_loud(rows, row_count, count, size, least, rest.largest, max_loud + 1, loud);
    if (static_cast<double>(loud.size()) <= max_loud) {
      plan.loud.insert(plan.loud.end(), loud.begin(), loud.end());
    } else {
      const double levels =
          (std::log2(static_cast<double>(rest.largest)) - std::log2(static_cast<double>(quiet.largest))) /
          bits_of_ratio;
      if (direct_cost <= std::ceil(levels) * costs.transform) {
        sum_directly(windows, least, plan.direct);
        return plan.levels.push_back(level_of(Scalar(0), rest.largest));
      }
      plan.levels.push_back(level_of(least, rest.largest));
    }
    upto = least;
  }
}

template float min_window(float, double, double);
template double min_window(double, double, double);
template bool is_ordinary(float);
template bool is_ordinary(double);
template void plan_levels(const float*, int64_t, int64_t, int64_t, double, std::vector<std::vector<float>>&,
                          const LevelCosts&, Levels<float>&);
template void plan_levels(const double*, int64_t, int64_t, int64_t, double, std::vector<std::vector<double>>&,
                          const LevelCosts&, Levels<double>&);

}  // namespace tapconv::composed
