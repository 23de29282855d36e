// What the emulation and a real device are both put through: the problems, and a comparison to the last bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cuda/conv1d.h"
#include "kernels/harness.h"

namespace tapconv::cuda::test {

// One call as the layer above makes it; `grad_bias` may be null.
struct Call {
  kernels::Direction direction;
  Plan plan;
  kernels::test::Buffers buffers;
  void* grad_bias;
  void* workspace;
};

// Carries a call out and returns null or the text of an error.
using Execute = std::function<const char*(const Call& call)>;

// Plans and executes one direction of the problem with small integers, whose sums are exact in every data type. Which
// arguments there are and where their memory is guarded varies with the seed.
void expect_exact(kernels::Direction direction, const kernels::Problem& problem, const Device& device, size_t seed,
                  const Execute& execute);

struct NamedProblems {
  std::string name;
  std::vector<kernels::Problem> problems;
};

// All problems of a direction, in all data types in turn.
std::vector<NamedProblems> problems_of(kernels::Direction direction);

}  // namespace tapconv::cuda::test
