// Tries every way to compute each layer of shapes.csv that the kernels have, and prints what the planner chose, what
// was fastest, and how much slower the choice is. Not a test: its output depends on the machine. docs/choices.md
// shows it.
//
//   test_kernels_choices path/to/shapes.csv [instruction set] [part of a layer's name]
//
// For layers that are asked for by name it prints every candidate, with the cost model's estimate in millions of its
// units.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include "kernels/conv1d.h"
#include "layers.h"
#include "measure.h"
#include "ways.h"

namespace tapconv::kernels::test {
namespace {

constexpr Rounds rounds{.least = 9, .most = 1000, .seconds = 0.6};
// Ways that the cost model puts this far behind the best are not tried.
constexpr double hopeless = 3;

// What a call with a plain weight may choose.
std::vector<Way> candidates_of(const Work& work, const InstructionSet& set) {
  std::vector<Way> ways = ways_of(work, set);
  double least = std::numeric_limits<double>::infinity();
  for (const Way& way : ways) least = std::min(least, std::isnan(way.cost) ? least : way.cost);
  std::erase_if(ways, [&](const Way& way) {
    return !way.automatic || (way.rule == Rule::by_cost && way.cost > hopeless * least && !way.chosen);
  });
  return ways;
}

int print_choices(const std::string& path, const InstructionSet& set, const std::string& part) {
  std::printf("%s, float32, one thread, milliseconds\n", set.name);
  std::printf("%-24s %-24s %9s   %-24s %9s %7s %9s\n", "layer", "chosen", "time", "fastest", "time", "behind",
              "direct");
  for (const Layer& layer : layers_of(path)) {
    if (layer.name.find(part) == std::string::npos) continue;
    Operands operands(layer.problem);
    const Work work = work_of(layer.problem, Direction::forward)[0];
    const std::vector<Way> ways = candidates_of(work, set);
    std::vector<double> best;
    for (const Samples& samples : operands.time(work, ways, std::vector<bool>(ways.size(), true), rounds)) {
      best.push_back(*std::ranges::min_element(samples));
    }
    const auto time_of = [&](const auto& is_wanted) {
      return best[static_cast<size_t>(std::ranges::find_if(ways, is_wanted) - ways.begin())];
    };
    const auto is_chosen = [](const Way& way) { return way.chosen; };
    const double taken = time_of(is_chosen);
    const size_t fastest = static_cast<size_t>(std::ranges::min_element(best) - best.begin());
    const double direct = time_of([](const Way& way) { return way.rule == Rule::direct; });
    std::printf("%-24s %-24s %9.3f   %-24s %9.3f %6.1f%% %9.3f\n", layer.name.c_str(),
                std::ranges::find_if(ways, is_chosen)->name.c_str(), taken * 1e3, ways[fastest].name.c_str(),
                best[fastest] * 1e3, 100 * (taken / best[fastest] - 1), direct * 1e3);
    if (!part.empty()) {
      for (size_t i = 0; i < ways.size(); ++i) {
        std::printf("    %-24s %9.3f   estimate %9.3f\n", ways[i].name.c_str(), best[i] * 1e3, ways[i].cost * 1e-6);
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
