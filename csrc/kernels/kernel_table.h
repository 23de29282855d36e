// The entry points that each instruction set offers: one for each algorithm and data type. targets/*.cpp fill one table
// each; conv1d.cpp calls through it.
#pragma once

#include <cstdint>

#include "plan.h"

namespace tapconv::kernels {

struct ForwardOperands {
  const void* input;
  const void* weight;
  const void* bias;
  void* output;
  void* workspace;
};

// The functions of one data type. Tasks and tiles are numbered from zero; any of them may run at the same time as
// another, as long as each running call has a slot of its own.
struct ForwardKernels {
  void (*prepare_bias)(const Plan&, const ForwardOperands&);
  void (*pack_tile)(const Plan&, const ForwardOperands&, int64_t tile);
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

struct KernelTable {
  ForwardKernels tap[4];  // by DataType
};

}  // namespace tapconv::kernels
