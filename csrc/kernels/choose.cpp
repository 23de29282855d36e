#include "choose.h"

#include <algorithm>
#include <utility>

#include "kernels/algorithms/few_outputs/few_outputs_cost.h"
#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "plan_memory.h"

namespace tapconv::kernels {
namespace {

Plan nothing_to_do(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                   int slots) {
  Call call{};
  call.problem = problem;
  call.variant = variant;
  call.instruction_set = &instruction_set;
  call.slots = slots;
  return call;
}

// Takes the first way that has precedence, else the direct sum or transforms, whichever cost less.
Plan choose_without_out_lanes(const Question& q) {
  Answer<Plan> best = Declined{nullptr};
  for (const ForwardAlgorithm& way : forward_algorithms()) {
    if (way.rule == Rule::takes_precedence) {
      if (const Answer<Plan> answer = way.plan(q)) return *answer;
    } else if (way.rule == Rule::direct) {
      if (has_no_outputs(q.problem)) {
        return nothing_to_do(q.problem, q.variant, q.instruction_set, std::max(q.slots, 1));
      }
      best = way.plan(q);
    }
  }
  if (q.problem.algorithm == AlgorithmRequest::direct) return *best;
  // Planning tiles takes microseconds, time that a problem whose direct sum takes hardly longer cannot win back.
  // Prepared tiles are asked at once, because planning them takes little.
  const ChoicePrices& price = q.instruction_set.prices->choices;
  if (best->cost() < price.worth_planning_tiles && !has_prepared_tiles(q)) return *best;
  const Answer<Plan> transformed = cheapest_transforms(q);
  return transformed && transformed->cost() < best->cost() ? *transformed : *best;
}

// Takes vectors of output channels where they were packed and beat the way that is chosen without them. They are
// compared with dot products by what reading the weights costs, which other costs leave out.
Plan choose_automatically(const Question& q) {
  const Plan chosen = choose_without_out_lanes(q);
  if (!q.prepared.out_lanes || q.problem.algorithm != AlgorithmRequest::automatic || has_prepared_tiles(q)) {
    return chosen;
  }
  // Dot products read 16-bit weights as they are stored, which is half as many bytes.
  const bool is_wide_dot = chosen.algorithm == Algorithm::dot && computes_in_own_type(q.problem.data_type);
  if (chosen.algorithm != Algorithm::direct && !is_wide_dot) return chosen;
  const Answer<OutLanePlan> lanes = plan_out_lanes(q.problem, q.instruction_set, q.slots);
  if (!lanes) return chosen;
  const double margin = q.instruction_set.prices->choices.worth_out_lanes;
  const bool is_cheaper =
      is_wide_dot ? out_lane_cost_with_weights(*lanes) < margin * dot_cost(chosen.dot) : lanes->cost < chosen.cost();
  return is_cheaper ? Plan(*lanes) : chosen;
}

Plan choose_forward_anew(const Question& q) {
  if (!asks_for_transforms(q.problem.algorithm)) return choose_automatically(q);
  if (const Answer<Plan> transformed = cheapest_transforms(q)) return *transformed;
  // Transforms that were packed may not fit this problem, but others may.
  if (has_prepared_tiles(q)) return choose_forward_anew({q.problem, q.variant, q.instruction_set, q.slots, {}});
  Problem problem = q.problem;
  problem.algorithm = AlgorithmRequest::automatic;
  return choose_without_out_lanes({problem, q.variant, q.instruction_set, q.slots, q.prepared});
}

uint32_t bits_of(const Prepared& prepared) {
  uint32_t bits = (prepared.register_tiles ? 1u : 0u) + (prepared.out_lanes ? 2u : 0u) + (prepared.taps ? 4u : 0u);
  if (const std::optional<FilterLayout>& layout = prepared.filters) {
    bits += (layout->lanes ? 8u : 0u) + 16u * (1u + static_cast<uint32_t>(layout->transform));
  }
  return bits;
}

}  // namespace

Answer<Plan> cheapest_transforms(const Question& q) {
  Answer<Plan> best = Declined{nullptr};
  for (const ForwardAlgorithm& way : forward_algorithms()) {
    if (way.rule != Rule::by_cost) continue;
    Answer<Plan> answer = way.plan(q);
    if (!best || (answer && answer->cost() < best->cost())) best = std::move(answer);
  }
  return best;
}

Plan choose_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, const Prepared& prepared) {
  const uint32_t question = asked_forward + (bits_of(prepared) << question_bits);
  return remembered({problem, variant, &instruction_set, slots, question},
                    [&] { return choose_forward_anew({problem, variant, instruction_set, slots, prepared}); });
}

namespace {

// Returns the plan by transforms of `way` if it is asked for or costs less than direct sums. A request for a transform
// that a weight gradient does not have leaves the choice open.
Answer<Plan> transformed_grad_weight(const GradWeightAlgorithm& way, const Question& q, double direct_cost) {
  if (q.problem.algorithm == AlgorithmRequest::direct) return Declined{"direct sums are asked for"};
  if (asks_for_transforms(q.problem.algorithm)) {
    if (Answer<Plan> answer = way.plan(q)) return answer;
  }
  Problem problem = q.problem;
  problem.algorithm = AlgorithmRequest::automatic;
  Answer<Plan> answer = way.plan({problem, q.variant, q.instruction_set, q.slots, q.prepared});
  if (answer && answer->cost() >= direct_cost) return Declined{"direct sums cost less"};
  return answer;
}

Plan choose_grad_weight_anew(const Question& q) {
  if (has_no_weights(q.problem)) {
    return nothing_to_do(q.problem, {}, q.instruction_set, slots_worth(q.problem, std::max(q.slots, 1)));
  }
  const double direct_cost = grad_weight_cost(q.problem, q.instruction_set);
  const GradWeightAlgorithm* direct = nullptr;
  for (const GradWeightAlgorithm& way : grad_weight_algorithms()) {
    if (way.rule == Rule::takes_precedence) {
      if (const Answer<Plan> answer = way.plan(q)) return *answer;
    } else if (way.rule == Rule::by_cost) {
      if (const Answer<Plan> answer = transformed_grad_weight(way, q, direct_cost)) return *answer;
    } else {
      direct = &way;
    }
  }
  return *direct->plan(q);
}

}  // namespace

Plan choose_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return remembered({problem, {}, &instruction_set, slots, asked_grad_weight},
                    [&] { return choose_grad_weight_anew({problem, {}, instruction_set, slots, {}}); });
}

}  // namespace tapconv::kernels
