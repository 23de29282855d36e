// Kernel bodies are plain C++ that nvcc compiles for the device and any compiler for the host, where the tests run
// them thread by thread. This is all they know of either.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define TAPCONV_DEVICE __device__
#define TAPCONV_UNROLL _Pragma("unroll")
#else
#define TAPCONV_DEVICE
#define TAPCONV_UNROLL
#endif

namespace tapconv::cuda {

// A thread loads and stores at most so much at a time.
inline constexpr int vector_bytes = 16;

// Where a kernel runs: one thread of one block.
//
// A kernel is a struct made from (launch, arguments, thread) that has, with a barrier after each of these steps,
//   begin(registers)
//   stage(round), compute(round, registers)     for every round
//   spill(registers)                            if Kernel::spills
//   finish(registers)
// Nothing but `registers`, shared memory and the constructor's arguments lives from one step to the next.
struct Thread {
  int64_t block;
  int index;
  std::byte* shared;
};

inline constexpr int warp_threads = 32;

}  // namespace tapconv::cuda
