// Convolutions with borders: their division into parts, and their outputs against the oracle on the signal that border,
// input and border make together.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "cases.h"
#include "harness.h"
#include "kernels/borders/bordered.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

struct BorderedProblem {
  Problem problem;  // contiguous, with the padding that the borders take the place of
  BorderLengths borders;
};

std::string describe(const BorderedProblem& p) {
  return test::describe(p.problem) + ", borders of " + std::to_string(p.borders.left) + " and " +
         std::to_string(p.borders.right);
}

// The problem over one signal, with the borders' samples among those of the input.
Problem joined(const BorderedProblem& p) {
  Problem problem = p.problem;
  problem.input_length += p.borders.left + p.borders.right;
  problem.padding_left -= p.borders.left;
  problem.padding_right -= p.borders.right;
  return with_contiguous_strides(problem);
}

// Borders that fill the padding, that leave zeros, and that are not there: two of them for each problem, in turn.
std::vector<BorderedProblem> with_borders(const std::vector<Problem>& problems) {
  std::vector<BorderedProblem> bordered;
  size_t turn = 0;
  for (const Problem& problem : problems) {
    if (problem.padding_mode != PaddingMode::zeros || problem.batch == 0) continue;
    const int64_t left = problem.padding_left;
    const int64_t right = problem.padding_right;
    const std::array<BorderLengths, 4> choices = {{{left, right}, {(left + 1) / 2, right / 2}, {left, 0}, {0, right}}};
    for (int i = 0; i < 2; ++i) bordered.push_back({with_contiguous_strides(problem), choices[turn++ * 3 % 4]});
  }
  return bordered;
}

// Long enough to be divided, with weights of a few bytes and of many.
std::vector<Problem> long_signals() {
  std::vector<Problem> problems;
  for (const int64_t groups : {1, 4}) {
    for (const auto& [stride, dilation, kernel_size] :
         {std::array<int64_t, 3>{1, 1, 3}, {1, 3, 5}, {2, 1, 4}, {5, 2, 3}, {7, 1, 2}, {1, 40, 4}}) {
      for (const auto& [left, right] : {std::array<int64_t, 2>{6, 0}, {0, 5}, {9, 9}, {1, 200}}) {
        Problem problem = plain_problem();
        problem.batch = 2;
        problem.in_channels = 8;
        problem.out_channels = 12;
        problem.groups = groups;
        problem.kernel_size = kernel_size;
        problem.stride = stride;
        problem.dilation = dilation;
        problem.padding_left = left;
        problem.padding_right = right;
        problem.input_length = 2500;
        append_if_possible(problems, problem);
      }
    }
  }
  return problems;
}

// A copy of samples [first, first + count) of every row of a dense tensor, with `before` and `after` samples beside
// them that are not to be read, as rows or as frames of all channels.
class SignalCopy {
 public:
  SignalCopy(const Problem& joined, const void* from, int64_t first, int64_t count, int64_t before, int64_t after,
             bool channels_last)
      : bytes_(static_cast<int64_t>(format_of(joined.data_type).bytes)),
        length_(before + count + after),
        strides_(channels_last ? ActivationStrides{joined.in_channels * length_, 1, joined.in_channels}
                               : ActivationStrides{joined.in_channels * length_, length_, 1}),
        buffer_(static_cast<size_t>(joined.batch * joined.in_channels * length_ * bytes_), Guard::after) {
    for (int64_t n = 0; n < joined.batch; ++n) {
      for (int64_t c = 0; c < joined.in_channels; ++c) {
        for (int64_t i = 0; i < count; ++i) {
          const int64_t at = n * strides_.batch + c * strides_.channel + (before + i) * strides_.time;
          const int64_t source = (n * joined.in_channels + c) * joined.input_length + first + i;
          std::memcpy(buffer_.bytes().data() + at * bytes_, static_cast<const std::byte*>(from) + source * bytes_,
                      static_cast<size_t>(bytes_));
        }
      }
    }
  }

  Signal signal() { return {buffer_.data(), length_, strides_}; }

 private:
  int64_t bytes_;
  int64_t length_;
  ActivationStrides strides_;
  GuardedBuffer buffer_;
};

int one_slot(const Problem&) { return 1; }
int three_slots(const Problem&) { return 3; }

RunResult run_bordered(const BorderedProblem& p, const InstructionSet& set, const Arguments& arguments, bool in_threads,
                       bool channels_last) {
  const Problem whole = joined(p);
  return run_in_guarded_memory(Direction::forward, whole, arguments, Guard::after, [&](const Buffers& buffers) {
    const BorderLengths& b = p.borders;
    const int64_t length = p.problem.input_length;
    SignalCopy left(whole, buffers.input, 0, b.left, 3, 0, channels_last);
    SignalCopy input(whole, buffers.input, b.left, length, 0, 0, channels_last);
    SignalCopy right(whole, buffers.input, b.left + length, b.right, 0, 2, !channels_last);
    Problem problem = p.problem;
    problem.input_strides = input.signal().strides;
    const BorderPlan plan = plan_bordered_forward(problem, b, set, in_threads ? three_slots : one_slot);
    GuardedBuffer workspace(plan.workspace_bytes, Guard::after, 64);
    bordered_forward(plan, {left.signal(), input.signal(), right.signal()}, buffers.weight, buffers.bias,
                     buffers.result, workspace.data(), in_threads ? threads(3) : serial());
    return workspace.margins_intact();
  });
}

class Borders : public testing::TestWithParam<DataType> {
 protected:
  // Whole numbers, so that every way of summing gives the oracle's bits.
  void expect_oracle(const std::vector<Problem>& problems) {
    uint64_t seed = 0;
    for (BorderedProblem p : with_borders(problems)) {
      p.problem.data_type = GetParam();
      const Problem whole = joined(p);
      const Arguments arguments = integer_arguments(whole, ++seed);
      const Sums expected = oracle(Direction::forward, whole, arguments);
      for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
        SCOPED_TRACE(std::string(set->name) + ", " + describe(p));
        const RunResult got = run_bordered(p, *set, arguments, seed % 8 == 0, seed % 3 == 0);
        EXPECT_TRUE(got.margins_intact && got.gaps_intact);
        for (size_t i = 0; i < expected.value.storage.size(); ++i) {
          ASSERT_EQ(got.result.storage[i], nearest(GetParam(), expected.value.storage[i])) << "at " << i;
        }
      }
    }
  }
};

TEST_P(Borders, of_short_signals_stand_where_the_padding_would) { expect_oracle(geometries()); }
TEST_P(Borders, of_groups_stand_where_the_padding_would) { expect_oracle(groups()); }
TEST_P(Borders, of_long_signals_stand_where_the_padding_would) { expect_oracle(long_signals()); }

INSTANTIATE_TEST_SUITE_P(, Borders,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

// Every output belongs to one part, which has all samples that the output reads, and what is gathered of a divided
// problem is no more than the outputs at its ends read.
TEST(BorderParts, cover_the_outputs_and_what_they_read) {
  int divided = 0;
  std::vector<Problem> problems = long_signals();
  const std::vector<Problem> short_ones = geometries();
  problems.insert(problems.end(), short_ones.begin(), short_ones.end());
  for (const BorderedProblem& p : with_borders(problems)) {
    SCOPED_TRACE(describe(p));
    const Problem& whole = p.problem;
    const BorderParts parts = border_parts(whole, p.borders);
    divided += parts.count > 1;
    int64_t next_output = 0;
    for (const BorderPart& part : parts) {
      EXPECT_EQ(part.first_output, next_output);
      ASSERT_GT(part.outputs(), 0);
      ASSERT_GT(part.samples(), 0);
      next_output = part.end_output;
      const Problem own = problem_of(whole, part);
      EXPECT_GE(own.padding_left, 0);
      EXPECT_GE(own.input_length + own.padding_left + own.padding_right, positions_read(own));
      EXPECT_EQ(part.begin - own.padding_left, part.first_output * whole.stride - whole.padding_left);
      if (part.begin > -p.borders.left) {
        EXPECT_EQ(own.padding_left, 0);
      }
      if (part.end < whole.input_length + p.borders.right) {
        EXPECT_EQ(own.padding_right, 0);
      }
      EXPECT_EQ(part.gathered, part.begin < 0 || part.end > whole.input_length);
      if (parts.count > 1 && part.gathered) {
        const int64_t padding = whole.padding_left + whole.padding_right;
        EXPECT_LE(part.samples(), padding + whole.stride + (whole.kernel_size - 1) * whole.dilation);
      }
    }
    EXPECT_EQ(next_output, whole.output_length);
  }
  EXPECT_GT(divided, 50);
}

// A large signal is not copied, however many weights each further call packs.
TEST(BorderParts, of_large_signals_leave_the_input_where_it_is) {
  Problem problem = plain_problem();
  problem.batch = 1;
  problem.in_channels = 1024;
  problem.out_channels = 1024;
  problem.kernel_size = 9;
  problem.padding_left = problem.padding_right = 4;
  for (const int64_t length : {64, 1100}) {
    problem.input_length = length;
    const Problem contiguous = with_contiguous_strides(problem);
    EXPECT_EQ(border_parts(contiguous, {4, 4}).count, length == 64 ? 1 : 3);
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
