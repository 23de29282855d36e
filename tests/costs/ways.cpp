#include "ways.h"

#include <algorithm>

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/choose.h"
#include "kernels/conv1d.h"
#include "kernels/core/forward_variant.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/lowering/input_gradient.h"
#include "plan_cost.h"

namespace tapconv::kernels::test {
namespace {

constexpr int64_t max_parts = 2;
constexpr const char* transform_names[tile_transform_count] = {
    "fourier 8",   "fourier 16",  "fourier 32", "fourier 64", "fourier 128",
    "fourier 256", "fourier 512", "winograd 2", "winograd 3",
};

std::string name_of_depthwise(const DepthwiseTilePlan& plan) {
  return std::string("depthwise ") + transform_names[static_cast<int>(plan.depthwise.transform)];
}

class Ways {
 public:
  Ways(const Work& work, const InstructionSet& set) : work_(work), set_(set), chosen_(chosen_plan(work, set)) {}

  void add(Rule rule, const Plan& plan, bool automatic = true) {
    const std::string name = name_of_way(plan);
    if (std::ranges::any_of(all_, [&](const Way& way) { return way.name == name; })) return;
    const bool is_chosen = plan.algorithm == chosen_.algorithm && name == name_of_way(chosen_);
    all_.push_back({name, rule, plan, cost_of(plan, *set_.prices), automatic && rule != Rule::prepared, is_chosen});
  }

  template <class OwnPlan>
  void add(Rule rule, const Answer<OwnPlan>& answer, bool automatic = true) {
    if (answer) add(rule, Plan(*answer), automatic);
  }

  void add_forward() {
    const Problem& p = work_.problem;
    const ForwardVariant& variant = work_.variant;
    const Prepared packed{.register_tiles = false, .out_lanes = true, .taps = false, .filters = std::nullopt};
    const bool may_be_packed = work_.direction == Direction::forward;
    for (const ForwardAlgorithm& way : forward_algorithms()) {
      if (way.algorithm == Algorithm::tiles) {
        add_tiles(way.rule);
      } else if (way.algorithm == Algorithm::depthwise_tiles) {
        for (int i = 0; i < fourier_transform_count; ++i) {
          add(way.rule, plan_depthwise_tiles(p, variant, set_, 1, static_cast<TileTransform>(i)));
        }
      } else {
        const bool takes_packed = way.rule == Rule::prepared && may_be_packed;
        add(way.rule, way.plan({p, variant, set_, 1, takes_packed ? packed : Prepared{}}));
      }
      // Samples may be folded into one row, or not.
      if (way.rule == Rule::direct) add(way.rule, Plan(plan_direct(p, variant, set_, 1)));
    }
  }

  void add_grad_weight() {
    // Some decline few taps or little work unless they are asked for.
    Problem asked = work_.problem;
    asked.algorithm = AlgorithmRequest::fft;
    for (const GradWeightAlgorithm& way : grad_weight_algorithms()) {
      const Answer<Plan> answer = way.plan({work_.problem, work_.variant, set_, 1, {}});
      const bool automatic = static_cast<bool>(answer);
      add(way.rule, answer);
      if (way.rule != Rule::by_cost) continue;
      const Answer<Plan> asked_for = way.plan({asked, work_.variant, set_, 1, {}});
      add(way.rule, asked_for, automatic);
      if (!asked_for || way.algorithm != Algorithm::grad_weight_depthwise_tiles) continue;
      for (int i = 0; i < fourier_transform_count; ++i) {
        const auto transform = static_cast<TileTransform>(i);
        add(way.rule, plan_grad_weight_depthwise_tiles(work_.problem, set_, 1, transform), automatic);
      }
    }
  }

  void add_grad_input() {
    if (chosen_.algorithm != Algorithm::grad_input_columns) return;
    add(Rule::takes_precedence, chosen_);
    GradInputPlan by_problems = chosen_.grad_input;
    by_problems.by_columns = false;
    add(Rule::direct, Plan(by_problems));
  }

  std::vector<Way> all() { return std::move(all_); }

 private:
  void add_tiles(Rule rule) {
    for (int i = 0; i < tile_transform_count; ++i) {
      const auto transform = static_cast<TileTransform>(i);
      if (!is_allowed(transform, work_.problem)) continue;
      for (const TileBlocking blocking : all_tile_blockings) {
        add(rule, plan_tiles(work_.problem, work_.variant, set_, 1, transform, blocking));
      }
    }
  }

  const Work& work_;
  const InstructionSet& set_;
  const Plan chosen_;
  std::vector<Way> all_;
};

}  // namespace

const char* name_of(Rule rule) {
  switch (rule) {
    case Rule::takes_precedence:
      return "takes_precedence";
    case Rule::direct:
      return "direct";
    case Rule::by_cost:
      return "by_cost";
    case Rule::prepared:
      return "prepared";
  }
  return "";
}

std::string name_of_way(const Plan& plan) {
  switch (plan.algorithm) {
    case Algorithm::tiles: {
      const TileBlocks& tiles = plan.tiles.tiles;
      return std::string(transform_names[static_cast<int>(tiles.transform)]) + (has_filter_lanes(tiles)
                                                                                    ? " filter lanes"
                                                                                : shares_tiles(tiles) ? " shared"
                                                                                                      : "");
    }
    case Algorithm::direct:
      return plan.direct.folded ? "direct folded" : "direct";
    case Algorithm::depthwise_tiles:
      return name_of_depthwise(plan.depthwise_tiles);
    case Algorithm::grad_weight_tiles:
      return transform_names[static_cast<int>(plan.grad_weight_tiles.tiles.transform)];
    case Algorithm::grad_weight_depthwise_tiles:
      return name_of_depthwise(plan.grad_weight_depthwise_tiles);
    default:
      return plan.algorithm_name();
  }
}

std::vector<Work> work_of(const Problem& layer, Direction direction) {
  const Work whole{direction, -1, layer, plain_variant(layer), 0, 0};
  if (direction != Direction::grad_input) return {whole};
  std::vector<Work> all{whole};
  const InputRange range{0, layer.input_length, layer.batch, layer.input_strides, false};
  const int64_t count = std::min(forward_problem_count(layer, range), max_parts);
  for (int64_t i = 0; i < count; ++i) {
    const ForwardProblem part = forward_problem(layer, range, i);
    all.push_back({direction, i, part.problem, part.variant, part.weight_offset, part.output_offset});
  }
  return all;
}

Plan chosen_plan(const Work& work, const InstructionSet& set) {
  if (work.direction == Direction::grad_weight) return plan_grad_weight(work.problem, set, 1);
  if (work.direction == Direction::grad_input && work.part < 0) return plan_grad_input(work.problem, set, 1);
  return choose_forward(work.problem, work.variant, set, 1);
}

std::vector<Way> ways_of(const Work& work, const InstructionSet& set) {
  Ways ways(work, set);
  if (work.direction == Direction::grad_weight) {
    ways.add_grad_weight();
  } else if (work.direction == Direction::grad_input && work.part < 0) {
    ways.add_grad_input();
  } else {
    ways.add_forward();
  }
  return ways.all();
}

}  // namespace tapconv::kernels::test
