// Times every way to compute the layers of some lists, in all three directions, and writes JSON lines: first the
// machine with its prices, then one line for each way with its time, its cost, and how often it pays each price.
// docs/costs.md says what is made of them.
//
//   time_ways [option...] list.csv...
//
// Options: --isa NAME, an instruction set, else the best one; --layer PART, only layers with this in their names;
// --direction NAME, only this one; --prices FILE, costs by these prices ("direct.call 55"); --rounds N, at the least,
// or 0 for costs alone; --seconds S, for more rounds of a layer's direction.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/instruction_sets/instruction_set.h"
#include "layers.h"
#include "measure.h"
#include "numbers.h"
#include "plan_cost.h"
#include "ways.h"

namespace tapconv::kernels::test {
namespace {

constexpr Direction all_directions[] = {Direction::forward, Direction::grad_input, Direction::grad_weight};
// A transform or a kind of blocks that costs so many times what the cheapest way does is not timed, unless it is the
// cheapest of its algorithm.
constexpr double hopeless = 3;
constexpr int most_rounds = 101;

struct Options {
  std::vector<std::string> lists;
  const char* instruction_set = nullptr;
  std::string layer;
  std::string direction;
  std::string prices;
  Rounds rounds{5, most_rounds, 0.2};
};

double number_of(const std::string& option, const char* value) {
  char* end = nullptr;
  const double number = std::strtod(value, &end);
  if (end == value || *end != '\0' || !(number >= 0)) {
    throw std::runtime_error(option + " wants a number that is not negative, and was given '" + value + "'");
  }
  return number;
}

Options options_of(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.rfind("--", 0) != 0) {
      options.lists.push_back(argument);
      continue;
    }
    if (i + 1 == count) throw std::runtime_error(argument + " wants a value");
    const char* const value = arguments[++i];
    if (argument == "--isa") {
      options.instruction_set = value;
    } else if (argument == "--layer") {
      options.layer = value;
    } else if (argument == "--direction") {
      options.direction = value;
    } else if (argument == "--prices") {
      options.prices = value;
    } else if (argument == "--rounds") {
      options.rounds.least = static_cast<int>(number_of(argument, value));
    } else if (argument == "--seconds") {
      options.rounds.seconds = number_of(argument, value);
    } else {
      throw std::runtime_error("there is no option " + argument +
                               "; there are --isa, --layer, --direction, --prices, --rounds and --seconds");
    }
  }
  if (options.lists.empty()) throw std::runtime_error("usage: time_ways [option...] list.csv..., see docs/costs.md");
  const auto is_named = [&](Direction direction) { return options.direction == name_of(direction); };
  if (!options.direction.empty() && std::ranges::none_of(all_directions, is_named)) {
    throw std::runtime_error("there is no direction '" + options.direction +
                             "'; there are forward, grad_input and grad_weight");
  }
  return options;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  }
  return name_of(this_processor());
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// JSON has no number for what is not one.
std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

void print_machine(const InstructionSet& set) {
  std::printf("{\"processor\": %s, \"class\": \"%s\", \"instruction_set\": \"%s\", \"prices\": [",
              quoted(processor_name()).c_str(), name_of(this_processor()), set.name);
  const char* comma = "";
  for (const NamedPrice& price : named_prices()) {
    std::printf("%s{\"name\": \"%s\", \"kind\": \"%s\", \"value\": %s}", comma, price.name, name_of(price.kind),
                number(price.of(*set.prices)).c_str());
    comma = ", ";
  }
  std::printf("]}\n");
}

void print_way(const Layer& layer, const Work& work, const Way& way, const Samples& samples, const Prices& prices) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  std::printf("{\"layer\": %s, \"kind\": %s, \"dtype\": \"%s\", \"direction\": \"%s\", \"part\": %lld, ",
              quoted(layer.name).c_str(), quoted(layer.kind).c_str(), name_of(layer.problem.data_type),
              name_of(work.direction), static_cast<long long>(work.part));
  std::printf("\"algorithm\": \"%s\", \"way\": \"%s\", \"rule\": \"%s\", \"automatic\": %s, \"chosen\": %s, ",
              way.plan.algorithm_name(), way.name.c_str(), name_of(way.rule), way.automatic ? "true" : "false",
              way.chosen ? "true" : "false");
  std::printf("\"seconds\": %s, \"spread\": %s, \"rounds\": %zu, \"cost\": %s, \"parts\": {",
              number(samples.empty() ? none : median_of(samples)).c_str(),
              number(samples.empty() ? none : spread_of(samples)).c_str(), samples.size(), number(way.cost).c_str());
  const char* comma = "";
  for (const CostPart& part : parts_of(way.plan, prices)) {
    std::printf("%s\"%s\": %s", comma, part.price->name, number(part.times).c_str());
    comma = ", ";
  }
  std::printf("}}\n");
  std::fflush(stdout);
}

// Each algorithm by its cheapest way, and others that are not hopeless. What has no price is always timed.
std::vector<bool> worth_timing(const std::vector<Way>& ways) {
  double least = std::numeric_limits<double>::infinity();
  for (const Way& way : ways) {
    if (way.cost < least) least = way.cost;
  }
  std::vector<bool> worth;
  for (const Way& way : ways) {
    const bool has_cheaper = std::ranges::any_of(
        ways, [&](const Way& other) { return other.plan.algorithm == way.plan.algorithm && other.cost < way.cost; });
    worth.push_back(!(has_cheaper && way.cost > hopeless * least) || way.chosen);
  }
  return worth;
}

void run(const Options& options) {
  const InstructionSet& best = current_instruction_set();
  InstructionSet set = options.instruction_set != nullptr ? require_instruction_set(options.instruction_set) : best;
  Prices prices = *set.prices;
  if (!options.prices.empty()) prices = read_prices(options.prices, prices);
  set.prices = &prices;
  print_machine(set);
  for (const std::string& list : options.lists) {
    for (const Layer& layer : layers_of(list)) {
      if (layer.name.find(options.layer) == std::string::npos) continue;
      const std::unique_ptr<Operands> operands =
          options.rounds.least > 0 ? std::make_unique<Operands>(layer.problem) : nullptr;
      for (const Direction direction : all_directions) {
        if (!options.direction.empty() && options.direction != name_of(direction)) continue;
        for (const Work& work : work_of(layer.problem, direction)) {
          const std::vector<Way> ways = ways_of(work, set);
          std::vector<Samples> samples(ways.size());
          if (operands) samples = operands->time(work, ways, worth_timing(ways), options.rounds);
          for (size_t i = 0; i < ways.size(); ++i) print_way(layer, work, ways[i], samples[i], prices);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels::test

int main(int count, char** arguments) {
  try {
    tapconv::kernels::test::run(tapconv::kernels::test::options_of(count, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
