// This is the front door on a device.
#include "conv1d.h"

#include <cuda_runtime.h>

#include "cuda/device/launchers.h"
#include "cuda/plans/sequence.h"

namespace tapconv::cuda {
namespace {

class StreamRunner : public Runner {
 public:
  explicit StreamRunner(void* stream) : stream_(stream) {}

  const char* forward(Algorithm algorithm, const ForwardLaunch& launch, const ForwardArguments& arguments) override {
    switch (algorithm) {
      case Algorithm::depthwise:
        return launch_depthwise(launch, arguments, stream_);
      case Algorithm::matrix:
        return launch_matrix(launch, arguments, stream_);
      default:
        return launch_direct(launch, arguments, stream_);
    }
  }
  const char* grad_weight(const GradWeightLaunch& launch, const GradWeightArguments& arguments) override {
    return launch_grad_weight(launch, arguments, stream_);
  }
  const char* fill(const FillLaunch& launch, const FillArguments& arguments) override {
    return launch_fill(launch, arguments, stream_);
  }
  const char* sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments) override {
    return launch_sum_parts(launch, arguments, stream_);
  }

 private:
  void* stream_;
};

}  // namespace

const char* describe_device(int index, Device* device) {
  int major = 0;
  int minor = 0;
  int multiprocessors = 0;
  int shared_memory = 0;
  const auto ask = [index](int* value, cudaDeviceAttr attribute) {
    return cudaDeviceGetAttribute(value, attribute, index);
  };
  cudaError_t error = ask(&major, cudaDevAttrComputeCapabilityMajor);
  if (error == cudaSuccess) error = ask(&minor, cudaDevAttrComputeCapabilityMinor);
  if (error == cudaSuccess) error = ask(&multiprocessors, cudaDevAttrMultiProcessorCount);
  if (error == cudaSuccess) error = ask(&shared_memory, cudaDevAttrMaxSharedMemoryPerBlockOptin);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  *device = {10 * major + minor, multiprocessors, shared_memory};
  return nullptr;
}

const char* forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output, void*,
                    void* stream) {
  StreamRunner runner(stream);
  return run_forward(plan, input, weight, bias, output, runner);
}

const char* grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input, void* workspace,
                       void* stream) {
  StreamRunner runner(stream);
  return run_grad_input(plan, grad_output, weight, grad_input, workspace, runner);
}

const char* grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight,
                        void* grad_bias, void* workspace, void* stream) {
  StreamRunner runner(stream);
  return run_grad_weight(plan, grad_output, input, grad_weight, grad_bias, workspace, runner);
}

}  // namespace tapconv::cuda
