// Every plan begins with a call, whatever its algorithm: what is asked, and how slots share the work and the workspace.
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

  // These are offsets into the workspace and sizes, in bytes. The first cache line of the workspace holds the task
  // counter.
  size_t slots_at;
  size_t slot_bytes;
  size_t workspace_bytes;
};

// Returns where a slot's own piece of the workspace begins.
[[gnu::always_inline]] inline char* slot_memory(const Call& call, void* workspace, int slot) {
  return static_cast<char*>(workspace) + call.slots_at + static_cast<size_t>(slot) * call.slot_bytes;
}

}  // namespace tapconv::kernels
