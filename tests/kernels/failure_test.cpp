// A way to run tasks that fails on its way: the caller gets the exception, and the next call is as good as the first.
#include <gtest/gtest.h>

#include <stdexcept>

#include "cases.h"
#include "harness.h"

namespace tapconv::kernels::test {
namespace {

// Runs some of the slots, then gives up, as a pool of threads does that cannot start one.
bool was_asked = false;

Parallel failing(int slots) {
  was_asked = false;
  return {slots, [](int count, void (*body)(void*, int), void* argument) {
            was_asked = true;
            for (int slot = 0; slot < count / 2; ++slot) body(argument, slot);
            throw std::runtime_error("no thread for the other slots");
          }};
}

TEST(Failure, leaves_no_state_behind) {
  int failures = 0;
  for (const Direction direction : {Direction::forward, Direction::grad_input, Direction::grad_weight}) {
    for (const Problem& problem : blocked()) {
      const Arguments arguments = random_arguments(problem, 5);
      for (const InstructionSet* set : instruction_sets_under_test()) {
        const RunResult before = run(direction, problem, *set, arguments, Guard::after, serial());
        bool failed = false;
        try {
          run(direction, problem, *set, arguments, Guard::after, failing(4));
        } catch (const std::runtime_error&) {
          failed = true;
        }
        EXPECT_EQ(failed, was_asked);
        failures += failed;
        const RunResult after = run(direction, problem, *set, arguments, Guard::after, serial());
        ASSERT_EQ(before.bytes, after.bytes) << describe(problem);
      }
    }
  }
  EXPECT_TRUE(reaches(failures, 10)) << failures;
}

}  // namespace
}  // namespace tapconv::kernels::test
