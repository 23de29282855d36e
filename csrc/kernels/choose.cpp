#include "choose.h"

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/few_outputs/dot_plan.h"
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

}  // namespace tapconv::kernels
