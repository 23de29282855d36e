// Tasks that are made of calls to torch's operators run side by side.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <cstdint>

namespace tapconv::runtime {

// Runs body(task) for every task, each on one thread. It is always inside a parallel region where there can be one,
// because a library that used threads of its own would round differently.
template <class Body>
void each_task(int64_t tasks, const Body& body) {
  at::parallel_for(0, std::max<int64_t>(tasks, 2), 1, [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    for (int64_t task = begin; task < std::min(end, tasks); ++task) body(task);
  });
}

}  // namespace tapconv::runtime
