// Every way to compute a layer in one direction: those of the lists in kernels/algorithms.h and, where an algorithm has
// several transforms or kinds of blocks, one for each of them.
#pragma once

#include <string>
#include <vector>

#include "kernels/algorithms.h"
#include "kernels/overlap_save.h"

namespace tapconv::kernels::test {

// What is computed at a time: a forward problem, a weight gradient, or, of an input gradient, one of the forward
// problems that it is put as, or all of them, where another way stands beside those.
struct Work {
  Direction direction;
  int64_t part;  // of an input gradient; -1 for the whole
  Problem problem;
  ForwardVariant variant;
  int64_t weight_offset;  // elements from the weight's start to its first tap
  int64_t output_offset;  // elements from the start of what is written to its first element
};

const char* name_of(Rule rule);

// What a layer's direction consists of. Of an input gradient's forward problems, which differ little, there are two.
std::vector<Work> work_of(const Problem& layer, Direction direction);

struct Way {
  std::string name;  // the transform and the kind of blocks, or else the algorithm
  Rule rule;
  Plan plan;
  double cost;     // not a number where the way has no price
  bool automatic;  // may a call with a plain weight and no request take it?
  bool chosen;
};

// For one thread, with the prices of the instruction set. Lanes of output channels, alone of all, take weights that
// were packed before the call.
std::vector<Way> ways_of(const Work& work, const InstructionSet& set);

// The plan that a call would make.
Plan chosen_plan(const Work& work, const InstructionSet& set);

std::string name_of_way(const Plan& plan);

}  // namespace tapconv::kernels::test
