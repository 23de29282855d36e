#include "fuzz_case.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/cases.h"
#include "kernels/harness.h"
#include "kernels/numbers.h"
#include "kernels/uneven_patterns.h"

namespace tapconv::kernels::test {
namespace {

// Products that the oracle adds up, at the most: what keeps an execution below a millisecond.
constexpr int64_t max_products = 30'000;

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  // A number in [lowest, highest] from one byte; the lowest one after the last byte.
  int64_t number(int64_t lowest, int64_t highest) {
    const uint8_t byte = at_ < bytes_.size() ? bytes_[at_] : 0;
    ++at_;
    return lowest + byte % (highest - lowest + 1);
  }

  // Mostly up to `usual`; now and then up to `highest`.
  int64_t size(int64_t usual, int64_t highest) {
    const bool large = number(0, 7) == 7;
    return number(1, large ? highest : usual);
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

int64_t products(const Problem& p) {
  return p.batch * p.out_channels * (p.in_channels / p.groups) * p.kernel_size * p.output_length;
}

// Changes the sizes that are not possible together to ones that are.
Problem made_possible(Problem problem) {
  const int64_t span = problem.dilation * (problem.kernel_size - 1) + 1;
  if (problem.padding_mode == PaddingMode::reflect) {
    problem.padding_left = std::min(problem.padding_left, problem.input_length - 1);
    problem.padding_right = std::min(problem.padding_right, problem.input_length - 1);
  } else if (problem.padding_mode == PaddingMode::circular) {
    problem.padding_left = std::min(problem.padding_left, problem.input_length);
    problem.padding_right = std::min(problem.padding_right, problem.input_length);
  }
  problem.input_length = std::max(problem.input_length, span - problem.padding_left - problem.padding_right);
  while (products(with_contiguous_strides(problem)) > max_products && problem.batch > 1) problem.batch /= 2;
  while (products(with_contiguous_strides(problem)) > max_products && problem.groups > 1) {
    problem.in_channels = problem.in_channels / problem.groups * (problem.groups / 2);
    problem.out_channels = problem.out_channels / problem.groups * (problem.groups / 2);
    problem.groups /= 2;
  }
  while (products(with_contiguous_strides(problem)) > max_products && problem.out_channels > problem.groups) {
    problem.out_channels = std::max(problem.out_channels / problem.groups / 2, int64_t(1)) * problem.groups;
  }
  while (products(with_contiguous_strides(problem)) > max_products && problem.in_channels > problem.groups) {
    problem.in_channels = std::max(problem.in_channels / problem.groups / 2, int64_t(1)) * problem.groups;
  }
  return with_contiguous_strides(problem);
}

ActivationStrides activation_strides(int64_t layout, int64_t batch, int64_t channels, int64_t length,
                                     bool may_be_expanded) {
  switch (layout) {
    case 1:  // channels last
      return {channels * length, 1, channels};
    case 2:  // batch last
      return {1, batch * length, batch};
    case 3:  // gaps in every dimension
      return {channels * (3 * length + 1) + 5, 3 * length + 1, 3};
    case 4:  // rows apart from each other
      return {channels * (length + 3), length + 3, 1};
    case 5:  // one number for every time
      return may_be_expanded ? ActivationStrides{channels, 1, 0} : ActivationStrides{channels * length, length, 1};
    case 6:  // one row for every channel
      return may_be_expanded ? ActivationStrides{length, 0, 1} : ActivationStrides{channels * length, length, 1};
    default:
      return {channels * length, length, 1};
  }
}

WeightStrides weight_strides(int64_t layout, int64_t out_channels, int64_t group_in, int64_t taps,
                             bool may_be_expanded) {
  switch (layout) {
    case 1:  // transposed
      return {1, out_channels * taps, out_channels};
    case 2:  // the taps apart
      return {(group_in + 2) * taps + 3, 1, group_in + 2};
    case 3:
      return may_be_expanded ? WeightStrides{taps, 0, 1} : WeightStrides{group_in * taps, taps, 1};
    default:
      return {group_in * taps, taps, 1};
  }
}

}  // namespace

FuzzCase fuzz_case_of(std::span<const uint8_t> bytes) {
  Reader read(bytes);
  FuzzCase fuzz_case{};
  fuzz_case.direction = static_cast<Direction>(read.number(0, 2));
  Problem problem = plain_problem();
  problem.data_type = static_cast<DataType>(read.number(0, 3));
  const int64_t algorithm = read.number(0, 3 + 2 * tile_transform_count);
  problem.algorithm = static_cast<AlgorithmRequest>(std::min<int64_t>(algorithm, 3));
  fuzz_case.forced_tiles = algorithm < 4 ? -1 : static_cast<int>(algorithm - 4) / 2;
  fuzz_case.forced_blocking = algorithm % 2 == 0 ? TileBlocking::private_tiles : TileBlocking::shared_tiles;
  const std::vector<const InstructionSet*> sets = instruction_sets_under_test();
  fuzz_case.instruction_set = sets[static_cast<size_t>(read.number(0, 255)) % sets.size()];
  fuzz_case.slots = static_cast<int>(std::max<int64_t>(read.number(0, 7) - 2, 1));
  fuzz_case.threads = read.number(0, 15) == 0;
  fuzz_case.guard = read.number(0, 1) == 0 ? Guard::after : Guard::before;
  fuzz_case.bias = read.number(0, 1) == 0;
  fuzz_case.numbers = static_cast<Numbers>(read.number(0, 4));
  fuzz_case.seed = static_cast<uint64_t>(read.number(0, 255));

  problem.padding_mode = static_cast<PaddingMode>(read.number(0, 3));
  problem.batch = read.number(0, 7) == 7 ? read.number(0, 40) : read.number(0, 3);
  problem.groups = read.number(0, 3) == 3 ? read.number(1, 9) : 1;
  problem.in_channels = problem.groups * read.size(6, 70);
  problem.out_channels = problem.groups * read.size(18, 70);
  problem.kernel_size = read.size(9, 100);
  problem.stride = std::max<int64_t>(read.number(0, 12) - 4, 1);
  problem.dilation = std::max<int64_t>(read.number(0, 14) - 4, 1);
  problem.padding_left = read.number(0, 20);
  problem.padding_right = read.number(0, 20);
  problem.input_length = read.size(70, 256);
  problem = made_possible(problem);

  const Direction result = fuzz_case.direction;
  problem.input_strides = activation_strides(read.number(0, 9), problem.batch, problem.in_channels,
                                             problem.input_length, result != Direction::grad_input);
  problem.output_strides = activation_strides(read.number(0, 9), problem.batch, problem.out_channels,
                                              problem.output_length, result != Direction::forward);
  problem.weight_strides = weight_strides(read.number(0, 6), problem.out_channels, problem.in_channels / problem.groups,
                                          problem.kernel_size, result != Direction::grad_weight);
  if (read.number(0, 2) == 2) fuzz_case.forced_blocking = TileBlocking::filter_lanes;
  // After the end of an input there is none.
  fuzz_case.pattern = static_cast<int>(read.number(0, 2 * static_cast<int64_t>(uneven_patterns().size()))) - 1;
  if (fuzz_case.pattern >= static_cast<int>(uneven_patterns().size())) fuzz_case.pattern = -1;
  fuzz_case.problem = problem;
  return fuzz_case;
}

std::string describe(const FuzzCase& fuzz_case) {
  std::ostringstream text;
  text << name_of(fuzz_case.direction) << ", " << name_of(fuzz_case.problem.data_type) << ", "
       << fuzz_case.instruction_set->name << ", algorithm request " << static_cast<int>(fuzz_case.problem.algorithm)
       << ", forced tiles " << fuzz_case.forced_tiles << " in blocking " << static_cast<int>(fuzz_case.forced_blocking)
       << ", " << fuzz_case.slots << " slots" << (fuzz_case.threads ? " on threads" : "") << ", guard "
       << (fuzz_case.guard == Guard::after ? "after" : "before") << (fuzz_case.bias ? ", bias" : "") << ", numbers "
       << static_cast<int>(fuzz_case.numbers) << " of seed " << fuzz_case.seed << ", pattern " << fuzz_case.pattern
       << ": " << describe(fuzz_case.problem);
  return text.str();
}

}  // namespace tapconv::kernels::test
