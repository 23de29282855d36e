// A runner carries launches out. It is a device (conv1d.cu), or a test that runs kernels on the host.
#pragma once

#include "cuda/conv1d.h"
#include "cuda/kernels/launch.h"

namespace tapconv::cuda {

// Each returns null or the text of an error. Launches run one after the other.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual const char* forward(Algorithm algorithm, const ForwardLaunch& launch, const ForwardArguments& arguments) = 0;
  virtual const char* grad_weight(const GradWeightLaunch& launch, const GradWeightArguments& arguments) = 0;
  virtual const char* fill(const FillLaunch& launch, const FillArguments& arguments) = 0;
  virtual const char* sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments) = 0;
};

}  // namespace tapconv::cuda
