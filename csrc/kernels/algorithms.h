// The list of every way to compute a forward problem or a weight gradient. Each has a name, a plan with its cost, and a
// run. choose.cpp goes through the list by one rule, explain.cpp says what each way answered, and tests and tools try
// them all.
#pragma once

#include <optional>
#include <span>

#include "kernels/core/answer.h"
#include "kernels/core/parallel.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "plan.h"

namespace tapconv::kernels {

// Says what was packed before the call (packed/packed_weight.h).
struct Prepared {
  bool register_tiles = false;  // the direct sum finds weights packed, or reads them where they lie
  bool out_lanes = false;       // weights lie as vectors of output channels
  bool taps = false;            // weights lie with their taps in the lanes, for tiles
  std::optional<FilterLayout> filters;

  bool operator==(const Prepared&) const = default;
};

struct Question {
  const Problem& problem;
  const ForwardVariant& variant;  // of a forward problem; others leave it empty
  const InstructionSet& instruction_set;
  int slots;
  const Prepared& prepared;
};

// Tiles use filters that were packed under a transform which the request allows. The first function says whether there
// are such filters, the second whether there are those or taps in the lanes.
bool has_allowed_filters(const Question& question);
bool has_prepared_tiles(const Question& question);

enum class Rule : uint8_t {
  takes_precedence,  // is taken wherever it answers with a plan
  direct,            // is always there, and what others are compared with
  by_cost,           // is taken if it costs less, or if its transforms are asked for
  prepared,          // is asked for weights that were packed for it, and taken if it costs less than what else there is
};

struct ForwardAlgorithm {
  Algorithm algorithm;
  Rule rule;
  Answer<Plan> (*plan)(const Question&);
  void (*run)(const Plan&, const ForwardOperands&, const Parallel&);
};

struct GradWeightAlgorithm {
  Algorithm algorithm;
  Rule rule;
  Answer<Plan> (*plan)(const Question&);
  void (*run)(const Plan&, const GradWeightOperands&, const Parallel&);
};

// The ways are listed in the order in which they are asked.
std::span<const ForwardAlgorithm> forward_algorithms();
std::span<const GradWeightAlgorithm> grad_weight_algorithms();

// Says whether a way is one of those by transforms, which are taken by cost.
bool is_by_transforms(Algorithm algorithm);

// Each runs a whole call. Where the plan was made for weights packed ahead, operands.packed_weight has them.
void run_forward(const Plan& plan, const ForwardOperands& operands, const Parallel& parallel);
void run_grad_weight(const Plan& plan, const GradWeightOperands& operands, const Parallel& parallel);

}  // namespace tapconv::kernels
