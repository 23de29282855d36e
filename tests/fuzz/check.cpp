#include "check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <sstream>

#include "fuzz_case.h"
#include "kernels/algorithms.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/forward_variant.h"
#include "kernels/harness.h"
#include "kernels/local_bound.h"
#include "kernels/numbers.h"
#include "kernels/uneven_patterns.h"

namespace tapconv::kernels::test {
namespace {

constexpr double direct_roundings = 8;
constexpr double infinity = std::numeric_limits<double>::infinity();

// The tensor whose numbers are made special: the one that is read along time. Zero padding stands beside the weight and
// beside grad_output, where zero times infinity would be a matter of convention.
Tensor& signal_of(const FuzzCase& fuzz_case, Arguments& arguments) {
  return fuzz_case.direction == Direction::grad_input ? arguments.output : arguments.input;
}

double largest_number(DataType type) {
  const Format& format = format_of(type);
  const int exponent = (1 << (format.exponent_bits - 1)) - 1;
  return std::ldexp(2 - std::ldexp(1.0, 1 - format.significand_bits), exponent);
}

double smallest_number(DataType type) {
  const Format& format = format_of(type);
  return std::ldexp(1.0, 3 - (1 << (format.exponent_bits - 1)) - format.significand_bits);
}

// The bfloat16 instructions take denormal numbers for zero, whatever the processor is told.
double smallest_sum(DataType type, const InstructionSet& set) {
  if (type == DataType::bfloat16 && (set.multiplies_bfloat16_pairs || set.multiplies_bfloat16_matrices)) {
    return 0x1p-126;
  }
  return smallest_number(type == DataType::float64 ? DataType::float64 : DataType::float32);
}

Arguments arguments_of(const FuzzCase& fuzz_case) {
  const Problem& problem = fuzz_case.problem;
  Arguments arguments = fuzz_case.numbers == Numbers::integers ? integer_arguments(problem, fuzz_case.seed)
                                                               : random_arguments(problem, fuzz_case.seed);
  std::vector<double>& storage = signal_of(fuzz_case, arguments).storage;
  std::mt19937_64 generator(fuzz_case.seed);
  const auto scatter = [&](std::array<double, 3> numbers) {
    const size_t count = storage.empty() ? 0 : generator() % 4;
    for (size_t i = 0; i < count; ++i) storage[generator() % storage.size()] = numbers[generator() % numbers.size()];
  };
  const double largest = largest_number(problem.data_type);
  if (fuzz_case.numbers == Numbers::random && fuzz_case.pattern >= 0) {
    apply(uneven_patterns()[static_cast<size_t>(fuzz_case.pattern)], problem.data_type,
          signal_of(fuzz_case, arguments));
  }
  if (fuzz_case.numbers == Numbers::not_finite) scatter({std::nan(""), infinity, -infinity});
  if (fuzz_case.numbers == Numbers::enormous) scatter({largest, -largest, -0.0});
  if (fuzz_case.numbers == Numbers::denormal) {
    const int exponent = fuzz_case.seed % 2 == 0 ? 6 : format_of(problem.data_type).significand_bits;
    const double scale = std::ldexp(smallest_number(problem.data_type), exponent);
    for (double& number : storage) number = nearest(problem.data_type, number * scale);
    for (double& number : arguments.bias) number = nearest(problem.data_type, number * scale);
  }
  if (!fuzz_case.bias) arguments.bias.clear();
  return arguments;
}

Tensor without_specials(Tensor tensor) {
  for (double& number : tensor.storage) number = std::isfinite(number) ? number : 0;
  return tensor;
}

bool has_zero_stride(const Tensor& tensor) {
  return std::any_of(tensor.strides.begin(), tensor.strides.end(), [](int64_t stride) { return stride == 0; });
}

class Comparison {
 public:
  // A direct sum may be off by some roundings of its own magnitude, one by transforms by those of what it sees.
  Comparison(const FuzzCase& fuzz_case, const Arguments& arguments, bool by_transforms)
      : type_(fuzz_case.problem.data_type),
        exact_required_(fuzz_case.numbers == Numbers::integers),
        expected_(oracle(fuzz_case.direction, fuzz_case.problem, arguments)) {
    const Problem& problem = fuzz_case.problem;
    const Arguments finite{without_specials(arguments.input), arguments.weight, without_specials(arguments.output),
                           arguments.bias};
    if (by_transforms) {
      expected_.magnitude = local_magnitude(fuzz_case.direction, problem, finite);
    } else if (fuzz_case.numbers == Numbers::not_finite) {
      expected_.magnitude = oracle(fuzz_case.direction, problem, finite).magnitude;
    }
    const auto terms = static_cast<double>(problem.kernel_size * (problem.in_channels + problem.out_channels) +
                                           problem.batch * problem.output_length);
    // Sums of equal numbers round the same way at every step; others mostly cancel.
    const bool equal_terms =
        has_zero_stride(arguments.input) || has_zero_stride(arguments.weight) || has_zero_stride(arguments.output);
    const double roundings =
        by_transforms ? local_roundings * unit_roundoff(type_) / accumulation_roundoff(type_) : direct_roundings;
    roundings_ = equal_terms ? std::max(roundings, terms) : roundings;
    // Every product may lose what is smaller than the smallest number; so may what a transform divides by its size.
    const double divisor = by_transforms ? shape_of(TileTransform::fourier512).size : 1;
    smallest_error_ = smallest_number(type_) + (terms + 8) * divisor * smallest_sum(type_, *fuzz_case.instruction_set);
  }

  std::string fault_of(const Tensor& actual) const {
    const std::vector<bool> reached = reached_elements(actual);
    for (size_t i = 0; i < reached.size(); ++i) {
      if (!reached[i] || accepts(actual.storage[i], expected_.value.storage[i], expected_.magnitude.storage[i]))
        continue;
      std::ostringstream text;
      text << "element " << i << " of " << reached.size() << ": got " << actual.storage[i] << ", the sum is "
           << expected_.value.storage[i] << ", of magnitudes that add up to " << expected_.magnitude.storage[i];
      return text.str();
    }
    return {};
  }

 private:
  bool accepts(double value, double exact, double magnitude) const {
    // Sums of enormous numbers may pass the largest one on the way, in any order.
    if (!(magnitude <= largest_number(type_) / 4)) return true;
    if (std::isnan(exact)) return std::isnan(value);
    if (std::isinf(exact)) return value == exact;
    if (exact_required_) return value == nearest(type_, exact);
    const double bound = roundings_ * accumulation_roundoff(type_) * magnitude +
                         std::fabs(exact - nearest(type_, exact)) + 2 * unit_roundoff(type_) * std::fabs(exact) +
                         smallest_error_;
    return std::fabs(value - exact) <= bound;
  }

  DataType type_;
  bool exact_required_;
  Sums expected_;
  double roundings_;
  double smallest_error_;
};

std::optional<Plan> forced_plan(const FuzzCase& fuzz_case, int slots) {
  if (fuzz_case.direction != Direction::forward || fuzz_case.forced_tiles < 0) return std::nullopt;
  const Problem& problem = fuzz_case.problem;
  if (problem.batch == 0 || problem.output_length == 0) return std::nullopt;
  const auto choice = plan_tiles(problem, plain_variant(problem), *fuzz_case.instruction_set, slots,
                                 static_cast<TileTransform>(fuzz_case.forced_tiles), fuzz_case.forced_blocking);
  return choice ? std::optional<Plan>(*choice) : std::nullopt;
}

RunResult run_case(const FuzzCase& fuzz_case, const Arguments& arguments, const Parallel& parallel) {
  if (const auto plan = forced_plan(fuzz_case, parallel.slots)) {
    return run_forward(*plan, arguments, fuzz_case.guard, parallel);
  }
  return run(fuzz_case.direction, fuzz_case.problem, *fuzz_case.instruction_set, arguments, fuzz_case.guard, parallel);
}

Parallel parallel_of(const FuzzCase& fuzz_case) {
  return fuzz_case.threads ? threads(fuzz_case.slots) : Parallel{fuzz_case.slots, serial().run};
}

std::string fault_of(const FuzzCase& fuzz_case) {
  const Arguments arguments = arguments_of(fuzz_case);
  const bool by_transforms = fuzz_case.problem.algorithm != AlgorithmRequest::direct;
  const RunResult actual = run_case(fuzz_case, arguments, parallel_of(fuzz_case));
  if (!actual.margins_intact) return "wrote beside the result or the workspace";
  if (!actual.gaps_intact) return "wrote between the elements of the result";
  const std::string fault = Comparison(fuzz_case, arguments, by_transforms).fault_of(actual.result);
  if (!fault.empty() || fuzz_case.slots == 1) return fault;
  return run_case(fuzz_case, arguments, serial()).bytes == actual.bytes ? "" : "other bits than with one slot";
}

}  // namespace

std::string fault_of(std::span<const uint8_t> bytes) {
  const FuzzCase fuzz_case = fuzz_case_of(bytes);
  const std::string fault = fault_of(fuzz_case);
  return fault.empty() ? fault : fault + "\n" + describe(fuzz_case);
}

}  // namespace tapconv::kernels::test
