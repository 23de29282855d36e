// Runs one direction of one problem the way a careful caller does, in memory that notices every stray access.
#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "guarded_buffer.h"
#include "kernels/conv1d.h"
#include "kernels/packed/packed_weight.h"
#include "oracle.h"

namespace tapconv::kernels::test {

// The instruction sets to test: the one that TAPCONV_ISA names, else every one that this machine has.
std::vector<const InstructionSet*> instruction_sets_under_test();

// With them, after the portable one, the emulated matrices of those types that are multiplied so.
std::vector<const InstructionSet*> instruction_sets_under_test(DataType data_type);

// Every slot on a thread of its own.
Parallel threads(int slots);

// Small integers, whose products and sums are exact in every data type's accumulator.
Arguments integer_arguments(const Problem& problem, uint64_t seed);

// Numbers of the data type, evenly spread over (-1, 1).
Arguments random_arguments(const Problem& problem, uint64_t seed);

Plan plan_of(Direction direction, const Problem& problem, const InstructionSet& instruction_set, int slots);

struct RunResult {
  Tensor result;                 // decoded
  std::vector<std::byte> bytes;  // as stored, gaps included
  bool margins_intact;           // nothing was written beside a buffer
  bool gaps_intact;              // nor between the elements of the result
};

// One call's memory: copies of the arguments, and room for the result. The result's counterpart among them is null.
struct Buffers {
  const void* input;
  const void* weight;
  const void* output;
  const void* bias;  // may be null
  void* result;
};

// Makes the buffers, calls execute(buffers), which says whether its own memory is intact, and reads the result.
RunResult run_in_guarded_memory(Direction direction, const Problem& problem, const Arguments& arguments, Guard guard,
                                const std::function<bool(const Buffers&)>& execute);

// Outputs and workspace start as NaN. `guard` says at which end of every buffer the inaccessible page lies.
RunResult run(Direction direction, const Problem& problem, const InstructionSet& instruction_set,
              const Arguments& arguments, Guard guard, const Parallel& parallel);

// The same for a forward plan made elsewhere.
RunResult run_forward(const Plan& plan, const Arguments& arguments, Guard guard, const Parallel& parallel);

// The same with the weight packed ahead. It may be used any number of times.
class PackedArguments {
 public:
  PackedArguments(const WeightPacking& packing, const Arguments& arguments, Guard guard, const Parallel& parallel);

  // With the plan that a call would make, unless there is another one.
  RunResult run(const Problem& problem, const InstructionSet& instruction_set, const Arguments& arguments, Guard guard,
                const Parallel& parallel, const std::optional<Plan>& plan = std::nullopt);
  std::span<std::byte> bytes() { return packed_.bytes(); }
  // Nothing was written beside the packed weight or the workspace of packing.
  bool margins_intact() const { return workspace_intact_ && packed_.margins_intact(); }

 private:
  GuardedBuffer packed_;
  bool workspace_intact_;
};

}  // namespace tapconv::kernels::test
