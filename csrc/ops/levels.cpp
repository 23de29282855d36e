#include "ops/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/magnitudes.h"

namespace tapconv::ops {
namespace {

// The errors of transforms were measured with numbers made to hurt (steps, clicks, matched filters, filters of one
// large tap): up to 6 roundings of the largest sample and up to 18 of the root mean square times the gain, for blocks
// of 2^17 samples, and half of that for 2^12. An eighth keeps them below 48 roundings of what a window sees.
constexpr double largest_ratio = 8;
constexpr double bits_of_ratio = 3;

// Direct sums of this share of a transform are made without looking for something better.
constexpr double cheap = 0.25;

// The sizes of a row's samples that are in a level, zeros elsewhere.
template <class Scalar>
void select(const Samples<Scalar>& samples, int64_t row, const Levels<Scalar>& plan, const Level<Scalar>& level,
            Scalar* sizes) {
  const Scalar* const x = samples.rows + row * samples.size;
  for (int64_t i = 0; i < samples.count; ++i) {
    const Scalar size = std::abs(x[i]);
    sizes[i] = plan.has(level, i, size) ? size : Scalar(0);
  }
}

// Adds a row of as many samples of a block of `size`; overwrites it.
template <class Scalar>
void add_row(Scalar* sizes, int64_t count, int64_t size, Measured<Scalar>& all) {
  Magnitude<Scalar> magnitude = measure(sizes, count);
  const Scalar largest = magnitude.largest;
  const int exponent = is_ordinary(largest) ? 0 : std::ilogb(largest);
  if (exponent != 0) {
    for (int64_t i = 0; i < count; ++i) sizes[i] = std::ldexp(sizes[i], -exponent);
    magnitude = measure(sizes, count);
  }
  const double squares = std::ldexp(static_cast<double>(magnitude.squares), 2 * exponent);
  all.largest = std::max(all.largest, largest);
  all.mean_square = std::max(all.mean_square, squares / static_cast<double>(size));
}

template <class Scalar>
Measured<Scalar> measure_level(const Samples<Scalar>& samples, const Levels<Scalar>& plan, const Level<Scalar>& level) {
  Measured<Scalar> all;
  std::vector<Scalar> sizes(samples.count);
  for (int64_t row = 0; row < samples.row_count; ++row) {
    select(samples, row, plan, level, sizes.data());
    add_row(sizes.data(), samples.count, samples.size, all);
  }
  return all;
}

// The samples of a level, as far as there are no more than `most`.
template <class Scalar>
std::vector<Sample<Scalar>> first_of(const Samples<Scalar>& samples, const Levels<Scalar>& plan,
                                     const Level<Scalar>& level, double most) {
  constexpr int64_t chunk = 64;
  std::vector<Sample<Scalar>> found;
  std::vector<Scalar> sizes(samples.count);
  for (int64_t row = 0; row < samples.row_count; ++row) {
    select(samples, row, plan, level, sizes.data());
    for (int64_t begin = 0; begin < samples.count; begin += chunk) {
      const int64_t end = std::min(begin + chunk, samples.count);
      if (measure(sizes.data() + begin, end - begin).largest == 0) continue;
      for (int64_t i = begin; i < end; ++i) {
        if (sizes[i] == 0) continue;
        if (static_cast<double>(found.size()) >= most) return found;
        found.push_back({row, i, samples.rows[row * samples.size + i]});
      }
    }
  }
  return found;
}

// Lets samples up to `upto` count as large as the largest sample of the quietest window that sees them. Windows that
// lack a tap count as if they did not, which only moves samples to a lower level.
template <class Scalar>
void raise_to_windows(const std::vector<std::vector<Scalar>>& windows, Scalar upto, std::vector<Scalar>& quietest) {
  const int64_t count = static_cast<int64_t>(quietest.size());
  std::fill(quietest.begin(), quietest.end(), upto);
  for (const std::vector<Scalar>& kind : windows) {
    const int64_t taps = count - static_cast<int64_t>(kind.size()) + 1;
    std::vector<Scalar> values(count + taps - 1, upto);
    std::copy(kind.begin(), kind.end(), values.begin() + taps - 1);
    slide(values.data(), count, taps, Smaller<Scalar>(), quietest.data());
  }
}

// Windows that see something, but nothing as large as `least`.
template <class Scalar>
struct Quiet {
  double count = 0;
  Scalar largest = std::numeric_limits<Scalar>::infinity();  // of the quietest window
};

template <class Scalar>
Quiet<Scalar> find_quiet(const std::vector<std::vector<Scalar>>& windows, Scalar least) {
  using L = Lanes<Scalar>;
  using Vector = typename L::Vector;
  constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  Quiet<Scalar> quiet;
  for (const std::vector<Scalar>& kind : windows) {
    Vector counts[L::chains] = {};
    Vector loudest[L::chains] = {};  // the smallest one, negated
    for (Vector& l : loudest) l -= infinity;
    L::for_each(
        kind.data(), static_cast<int64_t>(kind.size()),
        [&](Vector x, int64_t chain) {
          const auto is_quiet = (x > 0) & (x < least);
          counts[chain] += is_quiet ? Vector{} + 1 : Vector{};
          loudest[chain] = L::larger(is_quiet ? -x : Vector{} - infinity, loudest[chain]);
        },
        [&](Scalar x) {
          if (x <= 0 || x >= least) return;
          quiet.count += 1;
          quiet.largest = std::min(quiet.largest, x);
        });
    for (int64_t i = 0; i < L::step; ++i) {
      quiet.count += static_cast<double>(counts[i / L::width][i % L::width]);
      quiet.largest = std::min(quiet.largest, -loudest[i / L::width][i % L::width]);
    }
  }
  return quiet;
}

template <class Scalar>
void sum_directly(std::vector<std::vector<Scalar>>& windows, Scalar least, std::vector<Window>& direct) {
  for (size_t kind = 0; kind < windows.size(); ++kind) {
    for (size_t j = 0; j < windows[kind].size(); ++j) {
      Scalar& window = windows[kind][j];
      if (window <= 0 || window >= least) continue;
      direct.push_back({static_cast<int64_t>(kind), static_cast<int64_t>(j)});
      window = 0;
    }
  }
}

}  // namespace

template <class Scalar>
Scalar least_window(const Measured<Scalar>& samples, double gain) {
  const double largest = static_cast<double>(samples.largest);
  const double least = std::max(largest / largest_ratio, std::sqrt(samples.mean_square) * gain);
  return static_cast<Scalar>(std::min(least, largest / 2));
}

template <class Scalar>
bool is_ordinary(Scalar largest) {
  constexpr int most = sizeof(Scalar) == 8 ? 300 : 40;
  return largest == 0 || (largest <= std::ldexp(Scalar(1), most) && largest >= std::ldexp(Scalar(1), -most));
}

template <class Scalar>
Measured<Scalar> measure_samples(const Samples<Scalar>& samples) {
  Measured<Scalar> all;
  for (int64_t row = 0; row < samples.row_count; ++row) {
    const Scalar* const from = samples.rows + row * samples.size;
    std::vector<Scalar> copy(from, from + samples.count);
    add_row(copy.data(), samples.count, samples.size, all);
  }
  return all;
}

template <class Scalar>
void plan_levels(const Samples<Scalar>& samples, const Measured<Scalar>& all, double gain,
                 std::vector<std::vector<Scalar>>& windows, const LevelCosts& costs, Levels<Scalar>& plan) {
  Measured<Scalar> rest = all;
  Level<Scalar> level{0, std::numeric_limits<Scalar>::max(), 0};
  bool raised = false;
  while (rest.largest > 0) {
    level.above = 0;
    level.exponent = is_ordinary(rest.largest) ? 0 : std::ilogb(rest.largest);
    const Scalar least = least_window(rest, gain);
    const Quiet<Scalar> quiet = find_quiet(windows, least);
    if (quiet.count == 0) return plan.levels.push_back(level);
    if (plan.quietest.empty()) plan.quietest.resize(samples.count);
    const double direct_cost = quiet.count * costs.window;
    const double most_loud = std::min(direct_cost, costs.transform) / costs.sample;
    const Level<Scalar> loud{least, level.upto, level.exponent};
    const bool very_few_windows = direct_cost <= cheap * costs.transform;
    const std::vector<Sample<Scalar>> few =
        very_few_windows ? std::vector<Sample<Scalar>>() : first_of(samples, plan, loud, most_loud + 1);
    if (!very_few_windows && static_cast<double>(few.size()) <= most_loud) {
      plan.loud.insert(plan.loud.end(), few.begin(), few.end());
    } else {
      const double range = std::log2(static_cast<double>(rest.largest)) - std::log2(static_cast<double>(quiet.largest));
      if (direct_cost <= std::ceil(range / bits_of_ratio) * costs.transform) {
        sum_directly(windows, least, plan.direct);
        return plan.levels.push_back(level);
      }
      if (!raised) {
        raise_to_windows(windows, level.upto, plan.quietest);
        raised = true;
        continue;
      }
      plan.levels.push_back(loud);
    }
    level.upto = least;
    rest = measure_level(samples, plan, level);
  }
}

template float least_window(const Measured<float>&, double);
template double least_window(const Measured<double>&, double);
template bool is_ordinary(float);
template bool is_ordinary(double);
template Measured<float> measure_samples(const Samples<float>&);
template Measured<double> measure_samples(const Samples<double>&);
template void plan_levels(const Samples<float>&, const Measured<float>&, double, std::vector<std::vector<float>>&,
                          const LevelCosts&, Levels<float>&);
template void plan_levels(const Samples<double>&, const Measured<double>&, double, std::vector<std::vector<double>>&,
                          const LevelCosts&, Levels<double>&);

}  // namespace tapconv::ops
