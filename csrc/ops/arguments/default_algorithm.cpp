#include "ops/arguments/default_algorithm.h"

#include <c10/util/Exception.h>
#include <tapconv/default_algorithm.h>

#include <cstdlib>
#include <optional>

namespace tapconv {
namespace ops {
namespace {

using kernels::AlgorithmRequest;

bool can_be_default(std::string_view name) {
  return name == name_of(AlgorithmRequest::automatic) || name == name_of(AlgorithmRequest::direct);
}

AlgorithmRequest of_environment() {
  static const AlgorithmRequest algorithm = [] {
    const char* const value = std::getenv("TAPCONV_ALGORITHM");
    if (value == nullptr || value[0] == '\0') return AlgorithmRequest::automatic;
    TORCH_CHECK(can_be_default(value), "TAPCONV_ALGORITHM must be 'auto' or 'direct', but is '", value,
                "'. It binds what algorithm=\"auto\" may choose; other algorithms are asked for call by call.");
    return algorithm_named(value);
  }();
  return algorithm;
}

// Unset: the environment decides.
thread_local std::optional<AlgorithmRequest> of_thread;

}  // namespace

AlgorithmRequest algorithm_named(std::string_view name) {
  for (const AlgorithmRequest algorithm :
       {AlgorithmRequest::automatic, AlgorithmRequest::direct, AlgorithmRequest::fft, AlgorithmRequest::winograd}) {
    if (name == name_of(algorithm)) return algorithm;
  }
  TORCH_CHECK_VALUE(false, "algorithm must be one of {'auto', 'direct', 'fft', 'winograd'}, but got algorithm='", name,
                    "'");
}

AlgorithmRequest default_algorithm() { return of_thread ? *of_thread : of_environment(); }

AlgorithmRequest exchange_default_algorithm(AlgorithmRequest algorithm) {
  const AlgorithmRequest previous = default_algorithm();
  of_thread = algorithm;
  return previous;
}

}  // namespace ops

std::string_view get_default_algorithm() { return name_of(ops::default_algorithm()); }

std::string_view set_default_algorithm(std::string_view algorithm) {
  TORCH_CHECK_VALUE(ops::can_be_default(algorithm), "the default algorithm must be 'auto' or 'direct', but got '",
                    algorithm, "'. It binds what algorithm=\"auto\" may choose; pass another one to the call itself.");
  return name_of(ops::exchange_default_algorithm(ops::algorithm_named(algorithm)));
}

}  // namespace tapconv
