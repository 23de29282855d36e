#include "algorithms.h"

#include <algorithm>

#include "kernels/algorithms/columns/column_run.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_run.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/direct/direct_run.h"
#include "kernels/algorithms/few_outputs/few_outputs_run.h"
#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/algorithms/grad_weight/grad_weight_run.h"
#include "kernels/algorithms/grad_weight_tiles/grad_weight_tile_run.h"
#include "kernels/algorithms/tiles/tile_run.h"
#include "kernels/core/blocking.h"

namespace tapconv::kernels {
namespace {

template <class OwnPlan>
Answer<Plan> widened(const Answer<OwnPlan>& answer) {
  if (!answer) return Declined{answer.why_not()};
  return Plan(*answer);
}

Answer<Plan> ask_channel_lanes(const Question& q) {
  return widened(plan_channel_lanes(q.problem, q.variant, q.instruction_set, q.slots));
}

Answer<Plan> ask_dot(const Question& q) { return widened(plan_dot(q.problem, q.variant, q.instruction_set, q.slots)); }

Answer<Plan> ask_direct(const Question& q) {
  DirectPlan plan = plan_cheapest_direct(q.problem, q.variant, q.instruction_set, q.slots, q.prepared.register_tiles);
  plan.cost = direct_cost(plan);
  return Plan(plan);
}

// Filters that were transformed, or whose taps were brought into the lanes, are used if the request allows it.
Answer<Plan> ask_tiles(const Question& q) {
  if (has_allowed_filters(q)) {
    return widened(plan_tiles_by_filters(q.problem, q.variant, q.instruction_set, q.slots, *q.prepared.filters));
  }
  return widened(plan_cheapest_tiles(q.problem, q.variant, q.instruction_set, q.slots,
                                     q.prepared.taps ? FiltersAhead::in_lanes : FiltersAhead::nothing));
}

Answer<Plan> ask_depthwise_tiles(const Question& q) {
  if (has_prepared_tiles(q)) return Declined{"the weights were packed for tiles"};
  return widened(plan_cheapest_depthwise_tiles(q.problem, q.variant, q.instruction_set, q.slots));
}

Answer<Plan> ask_out_lanes(const Question& q) {
  if (!q.prepared.out_lanes) return Declined{"it takes weights that were packed for it before the call"};
  return widened(plan_out_lanes(q.problem, q.instruction_set, q.slots));
}

constexpr ForwardAlgorithm forward_list[] = {
    {Algorithm::channel_lanes, Rule::takes_precedence, &ask_channel_lanes,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_channel_lanes(plan.channel_lanes, operands, parallel);
     }},
    {Algorithm::dot, Rule::takes_precedence, &ask_dot,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_dot(plan.dot, operands, parallel);
     }},
    {Algorithm::direct, Rule::direct, &ask_direct,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_direct(plan.direct, operands, parallel, [](int64_t) { return true; });
     }},
    {Algorithm::tiles, Rule::by_cost, &ask_tiles,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_tiles(plan.tiles, operands, parallel);
     }},
    {Algorithm::depthwise_tiles, Rule::by_cost, &ask_depthwise_tiles,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_depthwise_tiles(plan.depthwise_tiles, operands, parallel);
     }},
    {Algorithm::out_lanes, Rule::prepared, &ask_out_lanes,
     [](const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
       run_out_lanes(plan.out_lanes, operands, parallel);
     }},
};

Answer<Plan> ask_grad_weight_columns(const Question& q) {
  return widened(plan_grad_weight_columns(q.problem, q.instruction_set, q.slots));
}

Answer<Plan> ask_grad_weight(const Question& q) {
  GradWeightPlan plan = plan_direct_grad_weight(q.problem, q.instruction_set, q.slots);
  plan.cost = grad_weight_cost(q.problem, q.instruction_set);
  return Plan(plan);
}

// The lanes of tiles are output channels, so they need enough of them.
Answer<Plan> ask_grad_weight_tiles(const Question& q) {
  if (!has_channel_lanes(q.problem, q.instruction_set)) return Declined{"most lanes of output channels would be empty"};
  return widened(plan_grad_weight_tiles(q.problem, q.instruction_set, q.slots));
}

// Transforms would be a fifth faster from some 80 taps on, but round 1.6 times as much as a direct sum.
constexpr int64_t min_depthwise_taps = 128;

// These tiles serve groups of few output channels, whose weight gradient otherwise has times in its lanes. Here the
// channels of many groups share the lanes.
Answer<Plan> ask_grad_weight_depthwise_tiles(const Question& q) {
  const Problem& p = q.problem;
  if (has_channel_lanes(p, q.instruction_set)) return Declined{"output channels fill the lanes"};
  if (p.in_channels != p.groups) return Declined{"the filters are not depthwise"};
  const bool is_worth_it = operations_of(p) >= min_operations_of_tiles && p.kernel_size >= min_depthwise_taps;
  if (p.algorithm != AlgorithmRequest::fft && !is_worth_it)
    return Declined{"there are too few taps, or too little work"};
  return widened(plan_cheapest_grad_weight_depthwise_tiles(p, q.instruction_set, q.slots));
}

constexpr GradWeightAlgorithm grad_weight_list[] = {
    {Algorithm::grad_weight_columns, Rule::takes_precedence, &ask_grad_weight_columns,
     [](const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
       run_grad_weight_columns(plan.grad_weight_columns, operands, parallel);
     }},
    {Algorithm::grad_weight, Rule::direct, &ask_grad_weight,
     [](const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
       run_grad_weight(plan.grad_weight, operands, parallel);
     }},
    {Algorithm::grad_weight_tiles, Rule::by_cost, &ask_grad_weight_tiles,
     [](const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
       run_grad_weight_tiles(plan.grad_weight_tiles, operands, parallel);
     }},
    {Algorithm::grad_weight_depthwise_tiles, Rule::by_cost, &ask_grad_weight_depthwise_tiles,
     [](const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
       run_grad_weight_depthwise_tiles(plan.grad_weight_depthwise_tiles, operands, parallel);
     }},
};

// Returns the row of an algorithm, or null where nothing is to be computed, which no row stands for.
template <class List>
const auto* row_of(const List& list, Algorithm algorithm) {
  const auto* const found =
      std::find_if(std::begin(list), std::end(list), [&](const auto& row) { return row.algorithm == algorithm; });
  return found != std::end(list) ? found : nullptr;
}

}  // namespace

bool has_allowed_filters(const Question& q) {
  return q.prepared.filters && is_allowed(q.prepared.filters->transform, q.problem);
}

bool has_prepared_tiles(const Question& q) { return q.prepared.taps || has_allowed_filters(q); }

std::span<const ForwardAlgorithm> forward_algorithms() { return forward_list; }
std::span<const GradWeightAlgorithm> grad_weight_algorithms() { return grad_weight_list; }

bool is_by_transforms(Algorithm algorithm) {
  const auto* const forward = row_of(forward_list, algorithm);
  const auto* const grad_weight = row_of(grad_weight_list, algorithm);
  return (forward != nullptr && forward->rule == Rule::by_cost) ||
         (grad_weight != nullptr && grad_weight->rule == Rule::by_cost);
}

void run_forward(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  if (const auto* const row = row_of(forward_list, plan.algorithm)) row->run(plan, operands, parallel);
}

void run_grad_weight(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel) {
  if (const auto* const row = row_of(grad_weight_list, plan.algorithm)) row->run(plan, operands, parallel);
}

}  // namespace tapconv::kernels
