// Every CUDA kernel's arithmetic of indices, run on the host, against the oracle.
#include <gtest/gtest.h>

#include "cuda/plans/sequence.h"
#include "emulation.h"
#include "exact.h"

namespace tapconv::cuda::test {
namespace {

using kernels::Direction;
using kernels::test::Buffers;

constexpr Device device{90, 132, 232448};

struct Parameters {
  Direction direction;
  std::optional<Algorithm> kernel;
};

const char* emulate(const Call& call, EmulatedRunner& runner) {
  const Buffers& buffers = call.buffers;
  switch (call.direction) {
    case Direction::forward:
      return run_forward(call.plan, buffers.input, buffers.weight, buffers.bias, buffers.result, runner);
    case Direction::grad_input:
      return run_grad_input(call.plan, buffers.output, buffers.weight, buffers.result, call.workspace, runner);
    case Direction::grad_weight:
      break;
  }
  return run_grad_weight(call.plan, buffers.output, buffers.input, buffers.result, call.grad_bias, call.workspace,
                         runner);
}

// The scalar stand-in for tensor cores is slow, so it gets a part of the problems, with all data types among them.
bool is_left_out(std::optional<Algorithm> kernel, size_t number) {
  return kernel == Algorithm::matrix && number % 5 != 0;
}

class Emulation : public testing::TestWithParam<Parameters> {};

TEST_P(Emulation, sums_are_exact) {
  size_t seed = 0;
  int64_t problems = 0;
  int64_t blocks = 0;
  for (const NamedProblems& set : problems_of(GetParam().direction)) {
    SCOPED_TRACE(set.name);
    for (const kernels::Problem& problem : set.problems) {
      if (is_left_out(GetParam().kernel, ++seed)) continue;
      EmulatedRunner runner({GetParam().kernel, seed / 4 % 2 == 1, seed / 2 % 2 == 1});
      expect_exact(GetParam().direction, problem, device, seed,
                   [&](const Call& call) { return emulate(call, runner); });
      if (HasFatalFailure()) return;
      ++problems;
      blocks += runner.blocks_run();
    }
  }
  RecordProperty("problems", std::to_string(problems));
  RecordProperty("blocks", std::to_string(blocks));
}

std::string name_of_parameters(const testing::TestParamInfo<Parameters>& info) {
  const std::string direction = kernels::name_of(info.param.direction);
  return direction + "_" + (info.param.kernel ? name_of(*info.param.kernel) : "planned");
}

INSTANTIATE_TEST_SUITE_P(
    Cuda, Emulation,
    testing::Values(Parameters{Direction::forward, {}}, Parameters{Direction::forward, Algorithm::depthwise},
                    Parameters{Direction::forward, Algorithm::direct},
                    Parameters{Direction::forward, Algorithm::matrix}, Parameters{Direction::grad_input, {}},
                    Parameters{Direction::grad_input, Algorithm::direct},
                    Parameters{Direction::grad_input, Algorithm::matrix}, Parameters{Direction::grad_weight, {}}),
    name_of_parameters);

}  // namespace
}  // namespace tapconv::cuda::test
