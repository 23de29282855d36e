// This file lays out a workspace: pieces come one after the other, each on a cache line of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "blocking.h"
#include "call.h"

namespace tapconv::kernels {

class Workspace {
 public:
  // Returns where the next `bytes` bytes begin.
  size_t reserve(int64_t bytes) {
    const size_t at = end_;
    end_ += aligned_bytes(bytes);
    return at;
  }

  // Returns how many bytes are reserved, which is where the next piece will begin.
  size_t end() const { return end_; }

 private:
  size_t end_ = 0;
};

// Returns the workspace of a call, whose first cache line is the task counter's.
inline Workspace workspace_with_counter() {
  Workspace workspace;
  workspace.reserve(cache_line_bytes);
  return workspace;
}

// Puts the slots of a call, of `slot_bytes` each, behind everything else.
inline void lay_out_slots(const Workspace& workspace, size_t slot_bytes, Call& call) {
  call.slots_at = workspace.end();
  call.slot_bytes = slot_bytes;
  call.workspace_bytes = call.slots_at + static_cast<size_t>(call.slots) * slot_bytes;
}

}  // namespace tapconv::kernels
