// This file hands numbered tasks out to slots.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "parallel.h"

namespace tapconv::kernels {

// Runs body(first, last, slot) over [0, count) in chunks, on `slots` slots side by side. A slot takes its next chunk
// when it has finished one, since cores are not equally fast; `counter` is 8 aligned bytes that all slots can reach.
template <class Body>
void run_tasks(const Parallel& parallel, int slots, int64_t count, void* counter, const Body& body) {
  if (count <= 0) return;
  if (slots <= 1 || count == 1) {
    body(int64_t(0), count, 0);
    return;
  }
  struct Shared {
    const Body& body;
    int64_t count;
    int64_t chunk;
    int64_t* next;
  };
  int64_t* const next = static_cast<int64_t*>(counter);
  *next = 0;
  Shared shared{body, count, std::max<int64_t>(count / (int64_t(slots) * 8), 1), next};
  parallel.run(
      slots,
      [](void* argument, int slot) {
        const Shared& s = *static_cast<const Shared*>(argument);
        std::atomic_ref<int64_t> taken(*s.next);
        for (;;) {
          const int64_t first = taken.fetch_add(s.chunk, std::memory_order_relaxed);
          if (first >= s.count) return;
          s.body(first, std::min(first + s.chunk, s.count), slot);
        }
      },
      &shared);
}

// Hands all tasks of a plan to a kernel.
template <class Plan, class Operands>
void run_all(void (*kernel)(const Plan&, const Operands&, int64_t first_task, int64_t last_task, int slot),
             const Plan& plan, const Operands& operands, const Parallel& parallel) {
  run_tasks(parallel, plan.slots, plan.task_count, operands.workspace,
            [&](int64_t first, int64_t last, int slot) { kernel(plan, operands, first, last, slot); });
}

}  // namespace tapconv::kernels
