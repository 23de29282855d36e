// The kernels on a real device, put through what the emulation is. Skipped where there is no device.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "exact.h"
#include "kernels/numbers.h"

namespace tapconv::cuda::test {
namespace {

using kernels::Direction;
using kernels::Problem;
using kernels::test::Buffers;

// A copy of host memory on the device.
class DeviceCopy {
 public:
  DeviceCopy(const void* from, size_t bytes) : bytes_(bytes) {
    if (from == nullptr) return;
    EXPECT_EQ(cudaMalloc(&data_, std::max<size_t>(bytes, 1)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, from, bytes, cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~DeviceCopy() { cudaFree(data_); }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;

  void* data() const { return data_; }
  void copy_back(void* to) const {
    if (data_ == nullptr) return;
    EXPECT_EQ(cudaMemcpy(to, data_, bytes_, cudaMemcpyDeviceToHost), cudaSuccess);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

const char* run_on_device(const Call& call) {
  const Problem& problem = call.plan.problem;
  const size_t bytes = kernels::test::format_of(problem.data_type).bytes;
  const auto bytes_of = [bytes](const kernels::test::Tensor& tensor) { return tensor.storage.size() * bytes; };
  const size_t bias_bytes = static_cast<size_t>(problem.out_channels) * bytes;
  const DeviceCopy input(call.buffers.input, bytes_of(kernels::test::empty_input(problem)));
  const DeviceCopy weight(call.buffers.weight, bytes_of(kernels::test::empty_weight(problem)));
  const DeviceCopy output(call.buffers.output, bytes_of(kernels::test::empty_output(problem)));
  const DeviceCopy bias(call.buffers.bias, bias_bytes);
  const DeviceCopy result(call.buffers.result, bytes_of(kernels::test::empty_result(problem, call.direction)));
  const DeviceCopy grad_bias(call.grad_bias, bias_bytes);
  const DeviceCopy workspace(call.workspace, call.plan.workspace_bytes);
  const char* error = nullptr;
  switch (call.direction) {
    case Direction::forward:
      error = forward(call.plan, input.data(), weight.data(), bias.data(), result.data(), workspace.data(), nullptr);
      break;
    case Direction::grad_input:
      error = grad_input(call.plan, output.data(), weight.data(), result.data(), workspace.data(), nullptr);
      break;
    case Direction::grad_weight:
      error = grad_weight(call.plan, output.data(), input.data(), result.data(), grad_bias.data(), workspace.data(),
                          nullptr);
      break;
  }
  if (error != nullptr) return error;
  if (const cudaError_t failure = cudaDeviceSynchronize(); failure != cudaSuccess) return cudaGetErrorString(failure);
  result.copy_back(call.buffers.result);
  grad_bias.copy_back(call.grad_bias);
  return nullptr;
}

class OnDevice : public testing::TestWithParam<Direction> {
 protected:
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no CUDA device";
    ASSERT_EQ(describe_device(0, &device_), nullptr);
  }
  Device device_{};
};

TEST_P(OnDevice, sums_are_exact) {
  size_t seed = 0;
  for (const NamedProblems& set : problems_of(GetParam())) {
    SCOPED_TRACE(set.name);
    for (const Problem& problem : set.problems) {
      expect_exact(GetParam(), problem, device_, ++seed, &run_on_device);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Device, without_one_there_is_an_error_to_read) {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) GTEST_SKIP() << "there is a CUDA device";
  Device device{};
  EXPECT_NE(describe_device(0, &device), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Cuda, OnDevice,
                         testing::Values(Direction::forward, Direction::grad_input, Direction::grad_weight),
                         [](const auto& info) { return kernels::name_of(info.param); });

}  // namespace
}  // namespace tapconv::cuda::test
