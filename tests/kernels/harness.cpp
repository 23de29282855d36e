#include "harness.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <thread>

#include "emulated_matrices.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

constexpr size_t workspace_alignment = 64;

void store(DataType type, const std::vector<double>& values, void* to) {
  const size_t bytes = format_of(type).bytes;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t bits = encode(type, values[i]);
    std::memcpy(static_cast<std::byte*>(to) + i * bytes, &bits, bytes);
  }
}

std::vector<double> load(DataType type, const void* from, size_t count) {
  const size_t bytes = format_of(type).bytes;
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const std::byte*>(from) + i * bytes, bytes);
    values[i] = decode(type, bits);
  }
  return values;
}

Arguments arguments_of(const Problem& problem, const std::function<double(double largest)>& number) {
  Arguments arguments{empty_input(problem), empty_weight(problem), empty_output(problem), {}};
  const auto fill = [&](Tensor& tensor, double largest) {
    const std::vector<bool> reached = reached_elements(tensor);
    for (size_t i = 0; i < reached.size(); ++i) {
      if (reached[i]) tensor.storage[i] = number(largest);
    }
  };
  fill(arguments.input, 4);
  fill(arguments.weight, 3);
  fill(arguments.output, 4);
  arguments.bias.resize(static_cast<size_t>(problem.out_channels));
  std::generate(arguments.bias.begin(), arguments.bias.end(), [&] { return number(8); });
  return arguments;
}

// A copy of a tensor's storage, as the kernels read it.
struct StoredTensor {
  StoredTensor(DataType type, const std::vector<double>& values, Guard guard)
      : buffer(values.size() * format_of(type).bytes, guard, format_of(type).bytes) {
    store(type, values, buffer.data());
  }
  GuardedBuffer buffer;
};

}  // namespace

std::vector<const InstructionSet*> instruction_sets_under_test() {
  if (std::getenv("TAPCONV_ISA")) return {&current_instruction_set()};
  std::vector<const InstructionSet*> sets;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.available()) sets.push_back(&set);
  }
  return sets;
}

std::vector<const InstructionSet*> instruction_sets_under_test(DataType data_type) {
  std::vector<const InstructionSet*> sets = instruction_sets_under_test();
  const bool has_portable = std::strcmp(sets.back()->name, "portable") == 0;
  if (data_type == DataType::bfloat16 && has_portable) sets.push_back(&emulated_matrices());
  return sets;
}

Parallel threads(int slots) {
  return {slots, [](int count, void (*body)(void*, int), void* argument) {
            std::vector<std::thread> pool;
            for (int slot = 0; slot < count; ++slot) pool.emplace_back(body, argument, slot);
            for (std::thread& thread : pool) thread.join();
          }};
}

Arguments integer_arguments(const Problem& problem, uint64_t seed) {
  std::mt19937_64 generator(seed);
  return arguments_of(problem, [&](double largest) {
    return static_cast<double>(generator() % static_cast<uint64_t>(2 * largest + 1)) - largest;
  });
}

Arguments random_arguments(const Problem& problem, uint64_t seed) {
  std::mt19937_64 generator(seed);
  return arguments_of(problem, [&](double) {
    const double fraction = std::ldexp(static_cast<double>(generator() >> 11), -53);
    return nearest(problem.data_type, 2 * fraction - 1);
  });
}

Plan plan_of(Direction direction, const Problem& problem, const InstructionSet& instruction_set, int slots) {
  switch (direction) {
    case Direction::forward:
      return plan_forward(problem, instruction_set, slots);
    case Direction::grad_input:
      return plan_grad_input(problem, instruction_set, slots);
    case Direction::grad_weight:
      break;
  }
  return plan_grad_weight(problem, instruction_set, slots);
}

RunResult run_in_guarded_memory(Direction direction, const Problem& problem, const Arguments& arguments, Guard guard,
                                const std::function<bool(const Buffers&)>& execute) {
  const DataType type = problem.data_type;
  StoredTensor input(type, arguments.input.storage, guard);
  StoredTensor weight(type, arguments.weight.storage, guard);
  StoredTensor output(type, arguments.output.storage, guard);
  StoredTensor bias(type, arguments.bias, guard);
  Tensor result = empty_result(problem, direction);
  GuardedBuffer stored_result(result.storage.size() * format_of(type).bytes, guard, format_of(type).bytes);
  Buffers buffers{input.buffer.data(), weight.buffer.data(), output.buffer.data(),
                  arguments.bias.empty() ? nullptr : bias.buffer.data(), stored_result.data()};
  if (direction == Direction::forward) buffers.output = nullptr;
  if (direction == Direction::grad_input) buffers.input = nullptr;
  if (direction == Direction::grad_weight) buffers.weight = nullptr;
  const bool own_memory_intact = execute(buffers);

  RunResult outcome{result, {stored_result.bytes().begin(), stored_result.bytes().end()}, false, true};
  outcome.result.storage = load(type, stored_result.data(), result.storage.size());
  outcome.margins_intact = own_memory_intact && stored_result.margins_intact();
  const std::vector<bool> reached = reached_elements(result);
  const size_t bytes = format_of(type).bytes;
  for (size_t i = 0; i < reached.size(); ++i) {
    const auto first = outcome.bytes.begin() + static_cast<std::ptrdiff_t>(i * bytes);
    const bool untouched = std::all_of(first, first + static_cast<std::ptrdiff_t>(bytes),
                                       [](std::byte byte) { return byte == std::byte{0xFF}; });
    if (!reached[i] && !untouched) outcome.gaps_intact = false;
  }
  return outcome;
}

namespace {

using Forward = std::function<void(const Plan& plan, const void* input, const void* weight, const void* bias,
                                   void* output, void* workspace, const Parallel& parallel)>;

RunResult run_with(Direction direction, const Problem& problem, const std::function<Plan()>& make_plan,
                   const Arguments& arguments, Guard guard, const Parallel& parallel,
                   const Forward& run_plan = forward) {
  return run_in_guarded_memory(direction, problem, arguments, guard, [&](const Buffers& buffers) {
    const Plan plan = make_plan();
    GuardedBuffer workspace(plan.workspace_bytes(), guard, workspace_alignment);
    switch (direction) {
      case Direction::forward:
        run_plan(plan, buffers.input, buffers.weight, buffers.bias, buffers.result, workspace.data(), parallel);
        break;
      case Direction::grad_input:
        grad_input(plan, buffers.output, buffers.weight, buffers.result, workspace.data(), parallel);
        break;
      case Direction::grad_weight:
        grad_weight(plan, buffers.output, buffers.input, buffers.result, nullptr, workspace.data(), parallel);
        break;
    }
    return workspace.margins_intact();
  });
}

}  // namespace

RunResult run(Direction direction, const Problem& problem, const InstructionSet& instruction_set,
              const Arguments& arguments, Guard guard, const Parallel& parallel) {
  const auto make_plan = [&] { return plan_of(direction, problem, instruction_set, parallel.slots); };
  return run_with(direction, problem, make_plan, arguments, guard, parallel);
}

RunResult run_forward(const Plan& plan, const Arguments& arguments, Guard guard, const Parallel& parallel) {
  return run_with(Direction::forward, plan.call().problem, [&] { return plan; }, arguments, guard, parallel);
}

PackedArguments::PackedArguments(const WeightPacking& packing, const Arguments& arguments, Guard guard,
                                 const Parallel& parallel)
    : packed_(static_cast<size_t>(packing.header.bytes), guard, workspace_alignment) {
  std::vector<double> dense;
  const Tensor& weight = arguments.weight;
  for (int64_t o = 0; o < weight.sizes[0]; ++o) {
    for (int64_t c = 0; c < weight.sizes[1]; ++c) {
      for (int64_t k = 0; k < weight.sizes[2]; ++k) dense.push_back(weight.at(o, c, k));
    }
  }
  StoredTensor stored(packing.direct.problem.data_type, dense, guard);
  GuardedBuffer workspace(packing.workspace_bytes, guard, workspace_alignment);
  pack_weight(packing, stored.buffer.data(), packed_.data(), workspace.data(), parallel);
  workspace_intact_ = workspace.margins_intact();
}

RunResult PackedArguments::run(const Problem& problem, const InstructionSet& instruction_set,
                               const Arguments& arguments, Guard guard, const Parallel& parallel,
                               const std::optional<Plan>& plan) {
  PackedWeight opened;
  const std::string wrong =
      read_packed_weight(packed_.data(), packed_.bytes().size(), problem, instruction_set, opened);
  if (!wrong.empty()) throw std::runtime_error(wrong);
  const auto make_plan = [&] {
    return plan ? *plan : plan_forward_packed(problem, opened, instruction_set, parallel.slots);
  };
  return run_with(Direction::forward, problem, make_plan, arguments, guard, parallel,
                  [&](const Plan& made, const void* input, const void*, const void* bias, void* output, void* workspace,
                      const Parallel& slots) { forward_packed(made, opened, input, bias, output, workspace, slots); });
}

}  // namespace tapconv::kernels::test
