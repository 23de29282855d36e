// What was decided: an algorithm and its own plan. The file holds data only: choose.cpp decides, and algorithms.cpp
// carries it out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/algorithms/columns/column_plan.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/few_outputs/dot_plan.h"
#include "kernels/algorithms/few_outputs/out_lane_plan.h"
#include "kernels/algorithms/grad_weight/grad_weight_plan.h"
#include "kernels/algorithms/grad_weight_tiles/grad_weight_tile_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/core/direct_sum.h"

namespace tapconv::kernels {

enum class Algorithm : uint8_t {
  empty,
  direct,
  dot,
  channel_lanes,
  out_lanes,
  tiles,
  depthwise_tiles,
  grad_input,
  grad_input_columns,
  grad_weight,
  grad_weight_tiles,
  grad_weight_depthwise_tiles,
  grad_weight_columns
};

constexpr const char* name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::empty:
      return "empty";
    case Algorithm::direct:
      return "direct";
    case Algorithm::dot:
      return "dot";
    case Algorithm::channel_lanes:
      return "channel_lanes";
    case Algorithm::out_lanes:
      return "out_lanes";
    case Algorithm::tiles:
      return "tiles";
    case Algorithm::depthwise_tiles:
      return "depthwise_tiles";
    case Algorithm::grad_input:
      return "grad_input";
    case Algorithm::grad_input_columns:
      return "grad_input_columns";
    case Algorithm::grad_weight:
      return "grad_weight";
    case Algorithm::grad_weight_tiles:
      return "grad_weight_tiles";
    case Algorithm::grad_weight_depthwise_tiles:
      return "grad_weight_depthwise_tiles";
    case Algorithm::grad_weight_columns:
      return "grad_weight_columns";
  }
  return "unknown";
}

// The plan of a gradient by the input as forward problems (lowering/grad_input.cpp). There may be as many of them as
// the stride, and nothing may allocate, so each is planned when its turn comes, and remembered (plan_memory.h).
struct GradInputPlan : Call {
  size_t border_bytes;  // gradients of padded positions, at the start of the workspace
  bool by_columns;
  ColumnPlan columns;  // the plan if so; where sums are not finite, forward problems compute the gradient after all
};

// Each member of the union begins with a Call. A std::variant would not do: its functions would be compiled, as weak
// symbols, for instruction sets that not every machine has.
struct Plan {
  Algorithm algorithm;
  union {
    Call nothing;  // where there is no output, or no weight to have a gradient
    DirectPlan direct;
    DotPlan dot;
    ChannelLanePlan channel_lanes;
    OutLanePlan out_lanes;
    TilePlan tiles;
    DepthwiseTilePlan depthwise_tiles;
    GradInputPlan grad_input;
    GradWeightPlan grad_weight;
    GradWeightTilePlan grad_weight_tiles;
    GradWeightDepthwiseTilePlan grad_weight_depthwise_tiles;
    ColumnPlan grad_weight_columns;
  };

  constexpr Plan() : algorithm(Algorithm::empty), nothing{} {}
  Plan(const Call& plan) : algorithm(Algorithm::empty), nothing(plan) {}
  Plan(const DirectPlan& plan) : algorithm(Algorithm::direct), direct(plan) {}
  Plan(const DotPlan& plan) : algorithm(Algorithm::dot), dot(plan) {}
  Plan(const ChannelLanePlan& plan) : algorithm(Algorithm::channel_lanes), channel_lanes(plan) {}
  Plan(const OutLanePlan& plan) : algorithm(Algorithm::out_lanes), out_lanes(plan) {}
  Plan(const TilePlan& plan) : algorithm(Algorithm::tiles), tiles(plan) {}
  Plan(const DepthwiseTilePlan& plan) : algorithm(Algorithm::depthwise_tiles), depthwise_tiles(plan) {}
  Plan(const GradInputPlan& plan)
      : algorithm(plan.by_columns ? Algorithm::grad_input_columns : Algorithm::grad_input), grad_input(plan) {}
  Plan(const GradWeightPlan& plan) : algorithm(Algorithm::grad_weight), grad_weight(plan) {}
  Plan(const GradWeightTilePlan& plan) : algorithm(Algorithm::grad_weight_tiles), grad_weight_tiles(plan) {}
  Plan(const GradWeightDepthwiseTilePlan& plan)
      : algorithm(Algorithm::grad_weight_depthwise_tiles), grad_weight_depthwise_tiles(plan) {}
  Plan(const ColumnPlan& plan) : algorithm(Algorithm::grad_weight_columns), grad_weight_columns(plan) {}

  const Call& call() const {
    switch (algorithm) {
      case Algorithm::empty:
        break;
      case Algorithm::direct:
        return direct;
      case Algorithm::dot:
        return dot;
      case Algorithm::channel_lanes:
        return channel_lanes;
      case Algorithm::out_lanes:
        return out_lanes;
      case Algorithm::tiles:
        return tiles;
      case Algorithm::depthwise_tiles:
        return depthwise_tiles;
      case Algorithm::grad_input:
      case Algorithm::grad_input_columns:
        return grad_input;
      case Algorithm::grad_weight:
        return grad_weight;
      case Algorithm::grad_weight_tiles:
        return grad_weight_tiles;
      case Algorithm::grad_weight_depthwise_tiles:
        return grad_weight_depthwise_tiles;
      case Algorithm::grad_weight_columns:
        return grad_weight_columns;
    }
    return nothing;
  }

  const char* algorithm_name() const { return name_of(algorithm); }
  double cost() const { return call().cost; }
  size_t workspace_bytes() const { return call().workspace_bytes; }
};
static_assert(std::is_trivially_copyable_v<Plan>);

}  // namespace tapconv::kernels
