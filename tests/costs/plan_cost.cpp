#include "plan_cost.h"

#include <limits>

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_cost.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/few_outputs/few_outputs_cost.h"
#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/algorithms/grad_weight_tiles/grad_weight_tile_cost.h"
#include "kernels/algorithms/tiles/tile_cost.h"
#include "kernels/choose.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/lowering/input_gradient.h"

namespace tapconv::kernels::test {
namespace {

template <class OwnPlan>
OwnPlan with_set(OwnPlan plan, const InstructionSet& set) {
  plan.instruction_set = &set;
  return plan;
}

// Where dot products are the other way, the two are compared by what reading the weights costs.
double cost_of_out_lanes(const OutLanePlan& plan) {
  const Problem& p = plan.problem;
  const bool beside_dot =
      computes_in_own_type(p.data_type) && plan_dot(p, plan.variant, *plan.instruction_set, plan.slots);
  return beside_dot ? out_lane_cost_with_weights(plan) : out_lane_cost(plan);
}

// The forward problems, each as it is computed by the prices that the plan was made by.
double cost_of_grad_input(const GradInputPlan& plan, const Prices& prices) {
  const Problem& p = plan.problem;
  const InputRange whole{0, p.input_length, p.batch, p.input_strides, false};
  double cost = 0;
  for (int64_t i = 0; i < forward_problem_count(p, whole); ++i) {
    const ForwardProblem part = forward_problem(p, whole, i);
    cost += cost_of(choose_forward(part.problem, part.variant, *plan.instruction_set, plan.slots), prices);
  }
  return cost;
}

}  // namespace

double cost_of(const Plan& plan, const Prices& prices) {
  if (plan.algorithm == Algorithm::empty) return 0;
  InstructionSet set = *plan.call().instruction_set;
  set.prices = &prices;
  const Problem& p = plan.call().problem;
  switch (plan.algorithm) {
    case Algorithm::empty:
      break;
    case Algorithm::direct:
      return direct_cost(with_set(plan.direct, set));
    case Algorithm::dot:
      return dot_cost(with_set(plan.dot, set));
    case Algorithm::out_lanes:
      return cost_of_out_lanes(with_set(plan.out_lanes, set));
    case Algorithm::tiles:
      return tile_cost(with_set(plan.tiles, set));
    case Algorithm::depthwise_tiles:
      return depthwise_tile_cost(with_set(plan.depthwise_tiles, set));
    case Algorithm::grad_input:
      return cost_of_grad_input(plan.grad_input, prices);
    case Algorithm::grad_weight:
      return grad_weight_cost(p, set);
    case Algorithm::grad_weight_tiles:
      return grad_weight_tile_cost(p, plan.grad_weight_tiles, set);
    case Algorithm::grad_weight_depthwise_tiles:
      return depthwise_tile_cost(with_set(plan.grad_weight_depthwise_tiles, set));
    case Algorithm::grad_weight_columns:
      return time_lane_cost(p, set);
    case Algorithm::channel_lanes:
    case Algorithm::grad_input_columns:
      return std::numeric_limits<double>::quiet_NaN();
  }
  return 0;
}

std::vector<CostPart> parts_of(const Plan& plan, const Prices& prices) {
  std::vector<CostPart> parts;
  const double cost = cost_of(plan, prices);
  for (const NamedPrice& price : named_prices()) {
    if (price.kind != PriceKind::price) continue;
    // Raised by as much as the price is, so that little is lost in the difference.
    const double raise = price.of(prices) > 0 ? price.of(prices) : 1;
    Prices raised = prices;
    price.set(raised, price.of(prices) + raise);
    const double times = (cost_of(plan, raised) - cost) / raise;
    if (times > 0) parts.push_back({&price, times});
  }
  return parts;
}

}  // namespace tapconv::kernels::test
