// This file runs a kernel body (device_code.h) on the device.
#pragma once

#include <cuda_runtime.h>

#include "cuda/kernels/device_code.h"
#include "cuda/kernels/launch.h"

namespace tapconv::cuda {

template <class Kernel>
__global__ void __launch_bounds__(Kernel::max_threads)
    run_kernel(const typename Kernel::Launch launch, const typename Kernel::Arguments arguments,
               const int64_t first_block) {
  extern __shared__ __align__(128) unsigned char shared[];
  const Thread thread{first_block + blockIdx.x, static_cast<int>(threadIdx.x), reinterpret_cast<std::byte*>(shared)};
  const Kernel kernel(launch, arguments, thread);
  typename Kernel::Registers registers;
  kernel.begin(registers);
  __syncthreads();
  const int64_t rounds = kernel.rounds();
  for (int64_t round = 0; round < rounds; ++round) {
    kernel.stage(round);
    __syncthreads();
    kernel.compute(round, registers);
    __syncthreads();
  }
  if constexpr (Kernel::spills) {
    kernel.spill(registers);
    __syncthreads();
  }
  kernel.finish(registers);
}

// Starts as many launches as the grid takes. Returns null, or the text of CUDA's error.
template <class Kernel>
const char* start(const typename Kernel::Launch& launch, const typename Kernel::Arguments& arguments, void* stream) {
  for (int64_t first = 0; first < launch.grid.blocks; first += largest_grid) {
    const int64_t left = launch.grid.blocks - first;
    const auto blocks = static_cast<unsigned>(left < largest_grid ? left : largest_grid);
    run_kernel<Kernel>
        <<<blocks, static_cast<unsigned>(launch.grid.threads), static_cast<size_t>(launch.grid.shared_bytes),
           static_cast<cudaStream_t>(stream)>>>(launch, arguments, first);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return cudaGetErrorString(error);
  }
  return nullptr;
}

}  // namespace tapconv::cuda
