#include "input_gradient.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/core/blocking.h"
#include "kernels/core/forward_variant.h"

namespace tapconv::kernels {
namespace {

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }
int64_t ceil_divide(int64_t a, int64_t b) { return -floor_divide(-a, b); }

// Periods say how taps and input positions fall together.
struct Periods {
  int64_t period;  // taps k and k + period reach the same positions
  int64_t step;    // between the outputs that neighbouring taps of a phase read
  int64_t phases;  // how many taps begin a sequence of their own
};

Periods periods_of(const Problem& p) {
  const int64_t common = std::gcd(p.stride, p.dilation);
  const int64_t period = p.stride / common;
  return {period, p.dilation / common, std::min(period, p.kernel_size)};
}

int64_t length_of(const InputRange& range) { return std::max<int64_t>(range.end - range.begin, 0); }

// The phases [first, last) have the same number of taps.
struct PhaseSet {
  int64_t first;
  int64_t last;
  int64_t taps;
};

// Where the last period of taps is not complete, the later phases have one tap less, and are a set of their own. Giving
// them a tap of weight zero instead would make a NaN where there is none.
int64_t phase_set_count(const Problem& p, const Periods& periods) {
  return p.kernel_size % periods.period == 0 || p.kernel_size < periods.period ? 1 : 2;
}

PhaseSet phase_set(const Problem& p, const Periods& periods, int64_t number) {
  if (phase_set_count(p, periods) == 1) return {0, periods.phases, ceil_div(p.kernel_size, periods.period)};
  const int64_t taps = p.kernel_size / periods.period;
  const int64_t longer = p.kernel_size % periods.period;
  return number == 0 ? PhaseSet{0, longer, taps + 1} : PhaseSet{longer, periods.phases, taps};
}

// Some phase needs these times v: s * v + q * dilation - padding_left lies in [begin, end) for some q.
struct Times {
  int64_t first;
  int64_t count;
};

Times times_of(const Problem& p, const InputRange& range, const PhaseSet& phases) {
  const int64_t least = phases.first * p.dilation - p.padding_left - range.begin;
  const int64_t most = least + (phases.last - 1 - phases.first) * p.dilation;
  const int64_t first = ceil_divide(-most, p.stride);
  return {first, std::max<int64_t>(floor_divide(length_of(range) - 1 - least, p.stride) + 1 - first, 0)};
}

// Phases share rows and run as one problem, unless they lie so far apart that much of it would be thrown away.
bool as_phases(const Problem& p, const InputRange& range) {
  if (p.stride == 1 || p.kernel_size == 0) return false;
  const Periods periods = periods_of(p);
  const int64_t wasted = (periods.phases - 1) * p.dilation / p.stride;
  return wasted <= std::max<int64_t>(2, length_of(range) / p.stride / 8);
}

Problem transposed(const Problem& p, const InputRange& range) {
  Problem q{};
  q.data_type = p.data_type;
  q.padding_mode = PaddingMode::zeros;
  q.algorithm = p.algorithm;
  q.batch = range.samples;
  q.in_channels = p.out_channels;
  q.input_length = p.output_length;
  q.out_channels = p.in_channels;
  q.stride = 1;
  q.groups = p.groups;
  q.input_strides = p.output_strides;
  q.output_strides = range.strides;
  return q;
}

// Takes the taps first_tap, first_tap + period, ... with the last one first, since later taps read earlier outputs.
void set_taps(const Problem& p, int64_t period, int64_t taps, ForwardProblem& to) {
  to.problem.kernel_size = taps;
  to.problem.weight_strides = {p.weight_strides.in_channel, p.weight_strides.out_channel,
                               -period * p.weight_strides.tap};
}

void set_plain_variant(const Problem& p, ForwardProblem& to) {
  to.variant = plain_variant(to.problem);
  to.variant.weight_group_stride = p.out_channels / p.groups * p.weight_strides.out_channel;
}

ForwardProblem all_phases(const Problem& p, const InputRange& range, int64_t number) {
  const Periods periods = periods_of(p);
  const PhaseSet phases = phase_set(p, periods, number);
  const Times times = times_of(p, range, phases);
  const int64_t last_tap = phases.first + (phases.taps - 1) * periods.period;
  ForwardProblem f{transposed(p, range), {}, last_tap * p.weight_strides.tap, 0};
  set_taps(p, periods.period, phases.taps, f);
  f.problem.out_channels = p.in_channels * (phases.last - phases.first);
  f.problem.dilation = periods.step;
  f.problem.padding_left = periods.step * (phases.taps - 1) - times.first;
  f.problem.output_length = times.count;
  set_plain_variant(p, f);
  f.variant.output_phases = phases.last - phases.first;
  f.variant.weight_phase_stride = p.weight_strides.tap;
  f.variant.time_scale = p.stride;
  f.variant.phase_distance = p.dilation;
  f.variant.origin = times.first * p.stride + phases.first * p.dilation - p.padding_left - range.begin;
  f.variant.output_limit = length_of(range);
  f.variant.wide_output = range.wide;
  return f;
}

ForwardProblem one_residue(const Problem& p, const InputRange& range, int64_t residue) {
  const Periods periods = periods_of(p);
  const int64_t first = range.begin + residue;
  // Tap k reaches position `first` from output (first + padding_left - k * dilation) / stride, if that is whole.
  int64_t first_tap = 0;
  while (first_tap < periods.phases && (first + p.padding_left - first_tap * p.dilation) % p.stride != 0) ++first_tap;
  const int64_t taps = first_tap < periods.phases ? (p.kernel_size - 1 - first_tap) / periods.period + 1 : 0;
  const int64_t last_tap = taps > 0 ? first_tap + (taps - 1) * periods.period : 0;
  ForwardProblem f{transposed(p, range), {}, last_tap * p.weight_strides.tap, residue * range.strides.time};
  set_taps(p, periods.period, taps, f);
  f.problem.dilation = periods.step;
  f.problem.padding_left = taps > 0 ? -(first + p.padding_left - last_tap * p.dilation) / p.stride : 0;
  f.problem.output_length = ceil_div(range.end - first, p.stride);
  f.problem.output_strides.time *= p.stride;
  set_plain_variant(p, f);
  f.variant.wide_output = range.wide;
  return f;
}

}  // namespace

int64_t forward_problem_count(const Problem& problem, const InputRange& range) {
  if (length_of(range) == 0) return 0;
  return as_phases(problem, range) ? phase_set_count(problem, periods_of(problem))
                                   : std::min(problem.stride, length_of(range));
}

ForwardProblem forward_problem(const Problem& problem, const InputRange& range, int64_t number) {
  return as_phases(problem, range) ? all_phases(problem, range, number) : one_residue(problem, range, number);
}

bool reaches_all(const Problem& problem, const InputRange& range) {
  return !as_phases(problem, range) || periods_of(problem).phases == problem.stride;
}

void fill_zeros(const Problem& problem, const InputRange& range, int64_t element_bytes, void* to) {
  const int64_t length = length_of(range);
  for (int64_t n = 0; n < range.samples; ++n) {
    for (int64_t c = 0; c < problem.in_channels; ++c) {
      char* const channel =
          static_cast<char*>(to) + (n * range.strides.batch + c * range.strides.channel) * element_bytes;
      if (range.strides.time == 1) {
        std::memset(channel, 0, static_cast<size_t>(length * element_bytes));
        continue;
      }
      for (int64_t i = 0; i < length; ++i) {
        std::memset(channel + i * range.strides.time * element_bytes, 0, static_cast<size_t>(element_bytes));
      }
    }
  }
}

}  // namespace tapconv::kernels
