// This is the CUDA kernels' front door, and the only header that the layers above include. It needs neither CUDA nor a
// tensor library. Plans are plain C++ and are made without a device. Only the functions that take a stream touch one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::cuda {

// What a plan may use of a device.
struct Device {
  int compute_capability;  // 75, 80, 86, 89, 90, 100
  int multiprocessors;
  int64_t shared_memory_per_block;  // bytes, with the opt-in beyond 48 KiB
};

struct Settings {
  bool allow_tf32;     // float32 products may be rounded to 10 bits of fraction, in tensor cores
  bool deterministic;  // only sums of a fixed order; all kernels here are, so it matters to `library` alone
};

enum class Algorithm : uint8_t {
  empty,      // nothing to sum: outputs are zeros or the bias, or there are none
  depthwise,  // one input channel in each group: its row in shared memory
  direct,     // register tiles of output channels and times
  matrix,     // tensor cores
  library,    // not here: the layer above calls at::conv1d, which is cuDNN
  fft,        // not here: the layer above does overlap-save with at::fft
};

constexpr const char* name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::empty:
      return "empty";
    case Algorithm::depthwise:
      return "depthwise";
    case Algorithm::direct:
      return "direct";
    case Algorithm::matrix:
      return "matrix";
    case Algorithm::library:
      return "library";
    case Algorithm::fft:
      return "fft";
  }
  return "unknown";
}

// A plan is data only. With `library` and `fft` the functions below must not be called.
struct Plan {
  kernels::Problem problem;
  Device device;
  Algorithm algorithm;
  Settings settings;
  size_t workspace_bytes;

  const char* algorithm_name() const { return name_of(algorithm); }
};

// Each decides how to compute. The same arguments give the same plan. A problem that asks for `direct` never gets
// `library` or `fft`, one that asks for `fft` always gets it unless it is empty, and `winograd` counts as `automatic`.
Plan plan_forward(const kernels::Problem& problem, const Device& device, const Settings& settings);
Plan plan_grad_input(const kernels::Problem& problem, const Device& device, const Settings& settings);
Plan plan_grad_weight(const kernels::Problem& problem, const Device& device, const Settings& settings);

// Describes the device of that number as the CUDA runtime does. Returns null, or the text of CUDA's error.
const char* describe_device(int index, Device* device);

// Each returns null, or the text of CUDA's error. They enqueue on `stream` (a cudaStream_t), on the current device,
// neither wait nor allocate, and so can be captured in a graph. Pointers are the device's; `workspace` has
// plan.workspace_bytes, aligned to 256 bytes. The meaning, the data types and the roundings are those of
// kernels/conv1d.h, except that tensor cores may round products of float32 when Settings allow it. Sums have a fixed
// order, without atomics: the same plan gives the same bits.
//
// output[n, o, t] = bias[o] + sum over c, k of weight[o, c, k] * padded input[n, c, t * stride + k * dilation]; `bias`
// is contiguous (out_channels) in the problem's data type, or null.
const char* forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output,
                    void* workspace, void* stream);

// grad_input[n, c, i] = the derivative of sum(output * grad_output) by input[n, c, i].
const char* grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input, void* workspace,
                       void* stream);

// grad_weight[o, c, k] = the derivative by weight[o, c, k] and, where `grad_bias` is not null, grad_bias[o] = the sum
// of grad_output over samples and times; it is contiguous and of the problem's data type.
const char* grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight,
                        void* grad_bias, void* workspace, void* stream);

}  // namespace tapconv::cuda
