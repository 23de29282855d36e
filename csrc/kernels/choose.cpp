#include "choose.h"

#include <algorithm>

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/few_outputs/column_plan.h"
#include "kernels/algorithms/few_outputs/dot_plan.h"
#include "kernels/algorithms/grad_weight/grad_weight_cost.h"
#include "kernels/algorithms/grad_weight/grad_weight_plan.h"
#include "kernels/algorithms/tiles/grad_weight_tile_plan.h"
#include "kernels/core/blocking.h"
#include "plan_memory.h"

namespace tapconv::kernels {

std::optional<TileChoice> decide_transformed(const Problem& problem, const ForwardVariant& variant,
                                             const InstructionSet& instruction_set, int slots) {
  std::optional<TileChoice> tiles = decide_tiles(problem, variant, instruction_set, slots);
  std::optional<TileChoice> depthwise = decide_depthwise_tiles(problem, variant, instruction_set, slots);
  return depthwise && (!tiles || depthwise->cost < tiles->cost) ? depthwise : tiles;
}

namespace {

Plan decide_anew(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                 int slots, bool packed_ahead) {
  const bool forced = problem.algorithm == AlgorithmRequest::fft || problem.algorithm == AlgorithmRequest::winograd;
  if (forced) {
    if (const std::optional<TileChoice> tiles = decide_transformed(problem, variant, instruction_set, slots)) {
      return tiles->plan;
    }
  }
  Problem p = problem;
  if (forced) p.algorithm = AlgorithmRequest::automatic;
  if (const std::optional<Plan> plan = decide_short(p, variant, instruction_set, slots)) return *plan;
  const Plan direct = decide_best_direct(p, variant, instruction_set, slots, packed_ahead);
  if (direct.algorithm == Algorithm::empty || p.algorithm == AlgorithmRequest::direct) return direct;
  // Planning tiles takes microseconds: time that a problem whose direct sum takes hardly longer cannot win back.
  constexpr double worth_planning_tiles = 30000;
  if (direct_cost(direct) < worth_planning_tiles) return direct;
  const std::optional<TileChoice> tiles = decide_transformed(p, variant, instruction_set, slots);
  return tiles && tiles->cost < direct_cost(direct) ? tiles->plan : direct;
}

}  // namespace

Plan decide_forward(const Problem& problem, const ForwardVariant& variant, const InstructionSet& instruction_set,
                    int slots, bool packed_ahead) {
  const uint32_t question = packed_ahead ? asked_forward_packed_ahead : asked_forward;
  return remembered({problem, variant, &instruction_set, slots, question},
                    [&] { return decide_anew(problem, variant, instruction_set, slots, packed_ahead); });
}

namespace {

// Depthwise filters of some 80 taps would win a fifth by transforms, at 1.6 times the rounding of a direct sum.
constexpr int64_t least_depthwise_taps = 128;

// Groups of few output channels have time lanes, or, as single channels, share the lanes of transforms.
std::optional<Plan> depthwise_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  if (problem.in_channels != problem.groups) return std::nullopt;
  const bool forced = problem.algorithm == AlgorithmRequest::fft;
  const bool worth_it =
      operations_of(problem) >= least_operations_of_tiles && problem.kernel_size >= least_depthwise_taps;
  if (!forced && !worth_it) return std::nullopt;
  Problem p = problem;
  if (p.algorithm == AlgorithmRequest::winograd) p.algorithm = AlgorithmRequest::automatic;
  const auto choice = decide_grad_weight_depthwise_tiles(p, instruction_set, slots_worth(problem, std::max(slots, 1)));
  if (!choice) return std::nullopt;
  if (!forced && choice->cost >= grad_weight_time_lane_cost(problem, instruction_set)) return std::nullopt;
  Plan plan = choice->plan;
  plan.problem = problem;
  return plan;
}

// Tiles where they cost less; they have channel lanes.
std::optional<Plan> tiled_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  if (problem.algorithm == AlgorithmRequest::direct) return std::nullopt;
  auto choice = decide_grad_weight_tiles(problem, instruction_set);
  const bool forced = choice && problem.algorithm != AlgorithmRequest::automatic;
  if (!choice) {
    Problem automatic = problem;
    automatic.algorithm = AlgorithmRequest::automatic;
    choice = decide_grad_weight_tiles(automatic, instruction_set);
  }
  if (!choice) return std::nullopt;
  if (!forced && choice->cost >= grad_weight_direct_cost(problem, instruction_set)) return std::nullopt;
  return plan_grad_weight_tiles(problem, instruction_set, slots, *choice);
}

Plan decide_grad_weight_anew(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  if (const auto columns = decide_grad_weight_columns(problem, instruction_set, slots)) return *columns;
  if (!has_no_weights(problem)) {
    const auto transformed = has_channel_lanes(problem, instruction_set)
                                 ? tiled_grad_weight(problem, instruction_set, slots)
                                 : depthwise_grad_weight(problem, instruction_set, slots);
    if (transformed) return *transformed;
  }
  return decide_grad_weight_without_tiles(problem, instruction_set, slots);
}

}  // namespace

Plan decide_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return remembered({problem, {}, &instruction_set, slots, asked_grad_weight},
                    [&] { return decide_grad_weight_anew(problem, instruction_set, slots); });
}

}  // namespace tapconv::kernels
