// Plans for long depthwise filters by Fourier transforms (depthwise_tiles.h), and for their weight gradient
// (grad_weight_depthwise_tiles.h).
#pragma once

#include <optional>

#include "kernels/algorithms/tiles/tile_plan.h"

namespace tapconv::kernels {

// The plan for one transform, or nothing if it does not fit the problem.
std::optional<TileChoice> plan_depthwise_tiles(const Problem& problem, const ForwardVariant& variant,
                                               const InstructionSet& instruction_set, int slots,
                                               TileTransform transform);

// The cheapest of all transforms that the problem's request allows.
std::optional<TileChoice> decide_depthwise_tiles(const Problem& problem, const ForwardVariant& variant,
                                                 const InstructionSet& instruction_set, int slots);

// The same for the weight gradient.
std::optional<TileChoice> plan_grad_weight_depthwise_tiles(const Problem& problem,
                                                           const InstructionSet& instruction_set, int slots,
                                                           TileTransform transform);
std::optional<TileChoice> decide_grad_weight_depthwise_tiles(const Problem& problem,
                                                             const InstructionSet& instruction_set, int slots);

}  // namespace tapconv::kernels
