// What every plan begins with, whatever its algorithm: what is asked, and how slots share the work and the workspace.
#pragma once

#include <cstddef>
#include <cstdint>

#include "forward_variant.h"

namespace tapconv::kernels {

struct InstructionSet;

struct Call {
  Problem problem;
  ForwardVariant variant;
  const InstructionSet* instruction_set;
  double cost;  // in the units of cost.h; zero for ways that are taken without being compared

  int slots;  // parts that may run side by side, each with its own piece of the workspace
  int64_t task_count;

  // Offsets into the workspace, in bytes, and its size. The first cache line holds the task counter.
  size_t slots_at;
  size_t slot_bytes;
  size_t workspace_bytes;
};

}  // namespace tapconv::kernels
