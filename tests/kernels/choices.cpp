// Tries every way to compute each layer of shapes.csv that the kernels have, and prints what the planner chose, what
// was fastest, and how much slower the choice is. Not a test: its output depends on the machine. docs/choices.md
// shows it.
//
//   test_kernels_choices path/to/shapes.csv [instruction set] [part of a layer's name]
//
// For layers that are asked for by name it prints every candidate, with the cost model's estimate in millions of its
// units.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/algorithms/depthwise_tiles/depthwise_tile_plan.h"
#include "kernels/algorithms/direct/direct_cost.h"
#include "kernels/algorithms/direct/direct_plan.h"
#include "kernels/algorithms/tiles/tile_plan.h"
#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/conv1d.h"
#include "kernels/core/forward_variant.h"
#include "layers.h"

namespace tapconv::kernels::test {
namespace {

constexpr double seconds_per_layer = 0.6;
constexpr int min_rounds = 9;
// Candidates that the cost model puts this far behind the best are not tried.
constexpr double hopeless = 3;

constexpr const char* transform_names[tile_transform_count] = {
    "fourier 8",   "fourier 16",  "fourier 32", "fourier 64", "fourier 128",
    "fourier 256", "fourier 512", "winograd 2", "winograd 3",
};

struct Candidate {
  std::string name;
  Plan plan;
  double cost;
  double best = std::numeric_limits<double>::infinity();  // seconds
};

std::string name_of_plan(const Plan& plan) {
  if (plan.algorithm == Algorithm::tiles) {
    const TileBlocks& tiles = plan.tiles.tiles;
    return std::string(transform_names[static_cast<int>(tiles.transform)]) + (has_filter_lanes(tiles) ? " filter lanes"
                                                                              : shares_tiles(tiles)   ? " shared"
                                                                                                      : "");
  }
  if (plan.algorithm == Algorithm::depthwise_tiles) {
    return std::string("depthwise ") + transform_names[static_cast<int>(plan.depthwise_tiles.depthwise.transform)];
  }
  return plan.algorithm_name();
}

std::vector<Candidate> candidates_of(const Problem& p, const InstructionSet& set) {
  const ForwardVariant variant = plain_variant(p);
  std::vector<Candidate> all;
  const DirectPlan direct = plan_cheapest_direct(p, variant, set, 1);
  all.push_back({name_of_plan(direct), direct, direct_cost(direct)});
  const auto add = [&](const auto& answer) {
    if (answer) all.push_back({name_of_plan(*answer), *answer, answer->cost});
  };
  for (int i = 0; i < tile_transform_count; ++i) {
    const auto transform = static_cast<TileTransform>(i);
    for (const TileBlocking blocking : all_tile_blockings) {
      add(plan_tiles(p, variant, set, 1, transform, blocking));
    }
    if (is_fourier(transform)) add(plan_depthwise_tiles(p, variant, set, 1, transform));
  }
  double least = all[0].cost;
  for (const Candidate& c : all) least = std::min(least, c.cost);
  std::erase_if(all,
                [&](const Candidate& c) { return c.plan.algorithm != Algorithm::direct && c.cost > hopeless * least; });
  return all;
}

constexpr size_t huge_page_bytes = 2 * 1024 * 1024;

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(huge_page_bytes)); }
};

// In huge pages where they can be had, as the operators ask for large workspaces.
std::unique_ptr<void, AlignedDelete> new_workspace(size_t bytes) {
  bytes = (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
  std::unique_ptr<void, AlignedDelete> memory(::operator new(bytes, std::align_val_t(huge_page_bytes)));
#if defined(MADV_HUGEPAGE)
  madvise(memory.get(), bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void measure(const Problem& p, std::vector<Candidate>& candidates) {
  std::mt19937 random(1);
  const auto numbers = [&](int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(random()) / static_cast<float>(random.max()) - 0.5f;
    return values;
  };
  const std::vector<float> input = numbers(p.batch * p.input_strides.batch);
  const std::vector<float> weight = numbers(p.out_channels * p.weight_strides.out_channel);
  const std::vector<float> bias = numbers(p.out_channels);
  std::vector<float> output = numbers(p.batch * p.output_strides.batch);
  size_t bytes = 64;
  for (const Candidate& c : candidates) bytes = std::max(bytes, c.plan.workspace_bytes());
  const std::unique_ptr<void, AlignedDelete> workspace = new_workspace(bytes);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int round = 0;
       round < min_rounds || std::chrono::duration<double>(Clock::now() - start).count() < seconds_per_layer; ++round) {
    for (Candidate& c : candidates) {
      const auto begin = Clock::now();
      forward(c.plan, input.data(), weight.data(), bias.data(), output.data(), workspace.get(), serial());
      c.best = std::min(c.best, std::chrono::duration<double>(Clock::now() - begin).count());
    }
  }
}

int print_choices(const std::string& path, const InstructionSet& set, const std::string& part) {
  std::printf("%s, float32, one thread, milliseconds\n", set.name);
  std::printf("%-24s %-24s %9s   %-24s %9s %7s %9s\n", "layer", "chosen", "time", "fastest", "time", "behind",
              "direct");
  for (const auto& [name, p] : layers_of(path)) {
    if (name.find(part) == std::string::npos) continue;
    std::vector<Candidate> candidates = candidates_of(p, set);
    const Plan plan = plan_forward(p, set, 1);
    const std::string chosen = name_of_plan(plan);
    const auto named = [&](const Candidate& c) { return c.name == chosen; };
    if (std::ranges::none_of(candidates, named)) candidates.push_back({chosen, plan, 0});
    measure(p, candidates);
    const auto by_time = [](const Candidate& a, const Candidate& b) { return a.best < b.best; };
    const Candidate& fastest = *std::ranges::min_element(candidates, by_time);
    const Candidate& taken = *std::ranges::find_if(candidates, named);
    std::printf("%-24s %-24s %9.3f   %-24s %9.3f %6.1f%% %9.3f\n", name.c_str(), chosen.c_str(), taken.best * 1e3,
                fastest.name.c_str(), fastest.best * 1e3, 100 * (taken.best / fastest.best - 1),
                candidates[0].best * 1e3);
    if (!part.empty()) {
      for (const Candidate& c : candidates) {
        std::printf("    %-24s %9.3f   estimate %9.3f\n", c.name.c_str(), c.best * 1e3, c.cost * 1e-6);
      }
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace tapconv::kernels::test

int main(int count, char** arguments) {
  using namespace tapconv::kernels;
  if (count < 2) {
    std::fprintf(stderr, "usage: %s path/to/shapes.csv [instruction set] [part of a layer's name]\n", arguments[0]);
    return 1;
  }
  try {
    const InstructionSet& set = count > 2 ? require_instruction_set(arguments[2]) : current_instruction_set();
    return test::print_choices(arguments[1], set, count > 3 ? arguments[3] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
