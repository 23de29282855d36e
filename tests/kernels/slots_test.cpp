// The same bits, however many slots share the work.
#include <gtest/gtest.h>

#include "cases.h"
#include "harness.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class Slots : public testing::TestWithParam<Direction> {};

TEST_P(Slots, do_not_change_a_bit) {
  std::vector<Problem> problems = blocked();
  for (const Problem& problem : random_problems(3, 40)) problems.push_back(problem);
  for (const Problem& problem : batches()) problems.push_back(problem);
  for (const Problem& problem : few_outputs()) problems.push_back(problem);
  for (const DataType type : {DataType::float32, DataType::bfloat16}) {
    uint64_t seed = 0;
    for (Problem problem : problems) {
      problem.data_type = type;
      const Arguments arguments = random_arguments(problem, ++seed);
      for (const InstructionSet* set : instruction_sets_under_test(type)) {
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        const RunResult alone = run(GetParam(), problem, *set, arguments, Guard::after, serial());
        for (const int slots : {2, 3, 4, 5, 6, 7, 8}) {
          // That the division of the work does not matter is seen without threads, too, and much faster.
          const Parallel parallel = slots == 3 || slots == 8 ? threads(slots) : Parallel{slots, serial().run};
          const RunResult shared = run(GetParam(), problem, *set, arguments, Guard::after, parallel);
          ASSERT_TRUE(shared.margins_intact);
          ASSERT_EQ(alone.bytes, shared.bytes) << slots << " slots";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Slots,
                         testing::Values(Direction::forward, Direction::grad_input, Direction::grad_weight),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
