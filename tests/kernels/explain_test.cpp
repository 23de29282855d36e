// Every algorithm answers every problem, with a plan or with a reason; and the explanation names what runs.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cases.h"
#include "harness.h"
#include "kernels/choose.h"
#include "kernels/core/forward_variant.h"
#include "kernels/explain.h"

namespace tapconv::kernels::test {
namespace {

// Counts plans in `plans` and reasons in `reasons`.
template <class List>
void expect_answers(const List& ways, const Question& question, std::set<Algorithm>& plans,
                    std::set<std::string>& reasons) {
  for (const auto& way : ways) {
    const Answer<Plan> answer = way.plan(question);
    if (answer) {
      EXPECT_EQ(answer->algorithm, way.algorithm);
      EXPECT_GE(answer->cost(), 0);
      plans.insert(way.algorithm);
    } else {
      ASSERT_NE(answer.why_not(), nullptr) << name_of(way.algorithm);
      EXPECT_GT(std::strlen(answer.why_not()), 10u) << name_of(way.algorithm);
      reasons.insert(answer.why_not());
    }
  }
}

std::vector<Problem> problems() {
  std::vector<Problem> all = random_problems(23, 300);
  for (const auto& more : {few_outputs(), short_depthwise_filters(), long_depthwise_filters(), geometries()}) {
    for (const Problem& problem : more) all.push_back(problem);
  }
  return all;
}

TEST(Explain, every_way_answers_with_a_plan_or_a_reason) {
  std::set<Algorithm> plans;
  std::set<std::string> reasons;
  const Prepared packed{.register_tiles = true, .out_lanes = true, .taps = false, .filters = std::nullopt};
  for (const InstructionSet* set : instruction_sets_under_test()) {
    for (Problem problem : problems()) {
      if (has_no_outputs(problem) || problem.kernel_size == 0 || problem.in_channels == 0) continue;
      for (const AlgorithmRequest request :
           {AlgorithmRequest::automatic, AlgorithmRequest::direct, AlgorithmRequest::winograd, AlgorithmRequest::fft}) {
        problem.algorithm = request;
        SCOPED_TRACE(std::string(set->name) + ", " + describe(problem));
        const ForwardVariant variant = plain_variant(problem);
        expect_answers(forward_algorithms(), {problem, variant, *set, 2, {}}, plans, reasons);
        expect_answers(forward_algorithms(), {problem, variant, *set, 2, packed}, plans, reasons);
        expect_answers(grad_weight_algorithms(), {problem, variant, *set, 2, {}}, plans, reasons);
        if (HasFailure()) return;
      }
    }
  }
  if (one_in() > 1) return;  // a share of the lists need not reach every way
  for (const ForwardAlgorithm& way : forward_algorithms()) EXPECT_TRUE(plans.contains(way.algorithm));
  for (const GradWeightAlgorithm& way : grad_weight_algorithms()) EXPECT_TRUE(plans.contains(way.algorithm));
  EXPECT_GT(reasons.size(), 15u);
}

TEST(Explain, names_every_way_and_what_runs) {
  const InstructionSet& set = current_instruction_set();
  for (const Problem& problem : problems()) {
    if (has_no_outputs(problem) || problem.kernel_size == 0 || problem.in_channels == 0) continue;
    SCOPED_TRACE(describe(problem));
    const std::string forward = explain(problem, kernels::Direction::forward, set, 2);
    for (const ForwardAlgorithm& way : forward_algorithms()) {
      EXPECT_NE(forward.find(std::string("\n  ") + name_of(way.algorithm)), std::string::npos) << forward;
    }
    const Plan plan = plan_forward(problem, set, 2);
    EXPECT_NE(forward.find(std::string("chosen: ") + plan.algorithm_name() + ":"), std::string::npos) << forward;
    const std::string grad_weight = explain(problem, kernels::Direction::grad_weight, set, 2);
    EXPECT_NE(grad_weight.find(std::string("chosen: ") + plan_grad_weight(problem, set, 2).algorithm_name() + ":"),
              std::string::npos)
        << grad_weight;
    EXPECT_NE(explain(problem, kernels::Direction::grad_input, set, 2).find("chosen: "), std::string::npos);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
