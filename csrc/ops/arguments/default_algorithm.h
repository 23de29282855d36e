// Algorithms by name, and what "auto" may choose on this thread.
#pragma once

#include <string_view>

#include "kernels/problem.h"

namespace tapconv::ops {

// Raises ValueError for a name that does not exist.
kernels::AlgorithmRequest algorithm_named(std::string_view name);

// The default of the calling thread: `automatic` or `direct`. Until it is set, what the environment variable
// TAPCONV_ALGORITHM says; raises RuntimeError if that names anything else than "auto" or "direct".
kernels::AlgorithmRequest default_algorithm();

// Sets it; what it was is returned. Only `automatic` and `direct`.
kernels::AlgorithmRequest exchange_default_algorithm(kernels::AlgorithmRequest algorithm);

// What a request means on this thread.
inline kernels::AlgorithmRequest resolved(kernels::AlgorithmRequest request) {
  return request == kernels::AlgorithmRequest::automatic ? default_algorithm() : request;
}

// Lifts the default for its scope: "auto" means anything, because what was bound has been resolved before.
class AnyAlgorithmGuard {
 public:
  AnyAlgorithmGuard() : previous_(exchange_default_algorithm(kernels::AlgorithmRequest::automatic)) {}
  ~AnyAlgorithmGuard() { exchange_default_algorithm(previous_); }
  AnyAlgorithmGuard(const AnyAlgorithmGuard&) = delete;
  AnyAlgorithmGuard& operator=(const AnyAlgorithmGuard&) = delete;

 private:
  kernels::AlgorithmRequest previous_;
};

}  // namespace tapconv::ops
