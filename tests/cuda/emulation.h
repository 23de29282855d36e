// Runs the bodies of the CUDA kernels on the host, thread by thread, in memory that notices every stray access.
#pragma once

#include <optional>

#include "cuda/plans/runner.h"
#include "kernels/guarded_buffer.h"

namespace tapconv::cuda::test {

// Between two barriers the threads of a block run one after the other: first to last or last to first, which gives the
// same result unless they race. Shared memory has exactly the size that the launch states, and starts as NaN.
class EmulatedRunner : public Runner {
 public:
  struct Options {
    std::optional<Algorithm> kernel;  // instead of the one that the planner chose, where it can compute the problem
    bool wide_index;                  // as if tensors were too large for 32 bits
    bool last_thread_first;
  };

  explicit EmulatedRunner(const Options& options) : options_(options) {}

  const char* forward(Algorithm algorithm, const ForwardLaunch& launch, const ForwardArguments& arguments) override;
  const char* grad_weight(const GradWeightLaunch& launch, const GradWeightArguments& arguments) override;
  const char* fill(const FillLaunch& launch, const FillArguments& arguments) override;
  const char* sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments) override;

  int64_t blocks_run() const { return blocks_run_; }

 private:
  template <class Kernel>
  const char* emulate(const typename Kernel::Launch& launch, const typename Kernel::Arguments& arguments);

  Options options_;
  int64_t blocks_run_ = 0;
};

}  // namespace tapconv::cuda::test
