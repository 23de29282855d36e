// A plan that is remembered is the plan that would be made.
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "cases.h"
#include "harness.h"
#include "kernels/conv1d.h"

namespace tapconv::kernels::test {
namespace {

using Planner = Plan (*)(const Problem&, const InstructionSet&, int);

// On a thread of its own, which remembers nothing.
Plan made_anew(Planner planner, const Problem& problem, const InstructionSet& set, int slots) {
  Plan plan;
  std::thread([&] { plan = planner(problem, set, slots); }).join();
  return plan;
}

void expect_alike(const Plan& plan, const Plan& other) {
  EXPECT_EQ(plan.algorithm, other.algorithm);
  const Call& a = plan.call();
  const Call& b = other.call();
  EXPECT_EQ(a.problem, b.problem);
  EXPECT_EQ(a.variant, b.variant);
  EXPECT_EQ(a.instruction_set, b.instruction_set);
  EXPECT_EQ(a.slots, b.slots);
  EXPECT_EQ(a.task_count, b.task_count);
  EXPECT_EQ(a.workspace_bytes, b.workspace_bytes);
  EXPECT_EQ(a.slot_bytes, b.slot_bytes);
}

// Problems that differ in one thing each, asked in turn, so that each finds the others' plans in its way.
TEST(PlanMemory, holds_what_would_be_made) {
  std::vector<Problem> problems = {plain_problem()};
  const auto add = [&](const std::function<void(Problem&)>& change) {
    Problem problem = plain_problem();
    change(problem);
    problems.push_back(problem);
  };
  add([](Problem& p) { p.data_type = DataType::float64; });
  add([](Problem& p) { p.data_type = DataType::bfloat16; });
  add([](Problem& p) { p.padding_mode = PaddingMode::replicate; });
  add([](Problem& p) { p.algorithm = AlgorithmRequest::fft; });
  add([](Problem& p) { p.algorithm = AlgorithmRequest::winograd; });
  add([](Problem& p) { p.padding_left = 0, p.padding_right = 2; });
  add([](Problem& p) { p.input_strides.channel += 5, p.input_strides.batch += 100; });
  add([](Problem& p) { p.weight_strides = {1, 5 * 3, 5}; });
  add([](Problem& p) { p.output_strides = {p.output_length * 5, 1, 5}; });
  for (const Problem& problem : random_problems(17, 200)) problems.push_back(problem);
  for (const InstructionSet* set : instruction_sets_under_test()) {
    for (const Planner planner : {&plan_forward, &plan_grad_input, &plan_grad_weight}) {
      for (const Problem& problem : problems) {
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        for (const int slots : {1, 2, 1, 3, 2}) {
          const Plan plan = planner(problem, *set, slots);
          expect_alike(plan, planner(problem, *set, slots));
          expect_alike(plan, made_anew(planner, problem, *set, slots));
        }
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
