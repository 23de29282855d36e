#include "overlap_save.h"

#include <cmath>

#include "choose.h"
#include "conv1d.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/lowering/input_gradient.h"

namespace tapconv::kernels {
namespace {

// Fewer taps are left to direct sums and tiles without asking what they cost.
constexpr int64_t min_taps = 128;

// Transforms by torch's library of up to 64 samples round one way on the only thread there is and another way on one of
// several. Results must not depend on the number of threads, and such short blocks are not worth it anyway.
constexpr int64_t min_size = 128;

const LargeTransformPrices& prices() {
  static const LargeTransformPrices& of_this_processor = prices_of(this_processor()).large_transforms;
  return of_this_processor;
}

// Results of the longest row: outputs, or positions of the gradient by the input.
int64_t row_results(const Problem& p, Direction direction, const OverlapSave& blocks) {
  const int64_t outputs = ceil_div(p.output_length, blocks.phases);
  return direction == Direction::grad_input ? outputs + blocks.taps - 1 : outputs;
}

double cost_of(const Problem& p, const OverlapSave& blocks) {
  const double rows = static_cast<double>(p.batch * blocks.phases * blocks.blocks);
  const double inputs = static_cast<double>(p.in_channels * blocks.segments);
  const double outputs = static_cast<double>(p.out_channels);
  const double filters = inputs / static_cast<double>(p.groups) * outputs;
  return (rows * (inputs + outputs) + filters) * block_row_cost(blocks.size) +
         rows * filters * block_product_cost(blocks.size);
}

// The forward problems that the kernels put the gradient by the input as: body(part) for each.
template <class Body>
void for_each_part(const Problem& p, const InstructionSet& set, const Body& body) {
  const InputRange whole = whole_input(p);
  for (int64_t i = 0; i < forward_problem_count(p, whole); ++i) {
    const ForwardProblem forward = forward_problem(p, whole, i);
    body(choose_forward(forward.problem, forward.variant, set, 1));
  }
}

bool is_by_transforms(const Problem& p, Direction direction, const Plan& plan) {
  if (direction != Direction::grad_input) return is_by_transforms(plan.algorithm);
  bool all = true;
  for_each_part(p, *plan.call().instruction_set,
                [&](const Plan& part) { all = all && is_by_transforms(part.algorithm); });
  return all;
}

// What the kernels' plan costs.
double kernel_cost(const Problem& p, Direction direction, const Plan& plan) {
  if (direction != Direction::grad_input) return plan.cost();
  double cost = 0;
  for_each_part(p, *plan.call().instruction_set, [&](const Plan& part) { cost += part.cost(); });
  return cost;
}

Plan plan_of(const Problem& p, Direction direction, const InstructionSet& set) {
  switch (direction) {
    case Direction::forward:
      return plan_forward(p, set, 1);
    case Direction::grad_input:
      return plan_grad_input(p, set, 1);
    case Direction::grad_weight:
      break;
  }
  return plan_grad_weight(p, set, 1);
}

}  // namespace

double block_row_cost(int64_t size) {
  const double samples = static_cast<double>(size);
  const LargeTransformPrices& price = prices();
  const double transform = samples > price.near_samples ? price.far_transform : price.transform;
  return samples * (price.sample + transform * std::log2(samples));
}

double block_product_cost(int64_t size) { return prices().product * static_cast<double>(size / 2 + 1); }

OverlapSave cheapest_overlap_save(const Problem& p, Direction direction) {
  const int64_t common = std::gcd(p.stride, p.dilation);
  OverlapSave shape{};
  shape.segments = std::min(p.kernel_size, p.stride / common);
  shape.taps = ceil_div(p.kernel_size, shape.segments);
  shape.apart = p.dilation / common;
  shape.phases = std::min(shape.apart, p.output_length);
  shape.step = shape.apart * p.stride;
  const int64_t results = row_results(p, direction, shape);

  OverlapSave best{};
  for (int64_t power = min_size;; power *= 2) {
    for (const int64_t size : {power, power / 2 * 3}) {
      if (size < shape.taps) continue;
      shape.size = size;
      shape.hop = size - shape.taps + 1;
      shape.blocks = ceil_div(results, shape.hop);
      shape.cost = cost_of(p, shape);
      if (best.size == 0 || shape.cost < best.cost) best = shape;
    }
    // One block holds everything, and a longer one is never cheaper.
    if (power >= results + shape.taps - 1) return best;
  }
}

std::optional<OverlapSave> choose_overlap_save(const Problem& p, Direction direction, const InstructionSet& set) {
  const bool asked = p.algorithm == AlgorithmRequest::fft;
  if (!asked && (p.algorithm != AlgorithmRequest::automatic || p.kernel_size < min_taps)) return std::nullopt;
  const Plan plan = plan_of(p, direction, set);
  const OverlapSave blocks = cheapest_overlap_save(p, direction);
  // The one way by transforms that is always there.
  if (asked && !is_by_transforms(p, direction, plan)) return blocks;
  return blocks.cost < kernel_cost(p, direction, plan) ? std::optional(blocks) : std::nullopt;
}

}  // namespace tapconv::kernels
