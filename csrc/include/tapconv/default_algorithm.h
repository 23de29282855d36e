// This header binds what algorithm="auto" may choose.
#pragma once

#include <tapconv/export.h>

#include <string_view>

namespace tapconv {

/// What "auto" may choose in calls on this thread: "auto" (any algorithm) or "direct" (sums in plain order only). Until
/// a thread sets it, the environment variable TAPCONV_ALGORITHM decides, and without that it is "auto".
///
/// @throws c10::Error if TAPCONV_ALGORITHM is neither "auto" nor "direct".
TAPCONV_API std::string_view get_default_algorithm();

/// Sets it for this thread and returns what it was; a DefaultAlgorithmGuard puts it back by itself. Derivatives are
/// computed by what the forward call was bound to, whichever thread computes them and whenever.
///
/// @throws c10::ValueError unless `algorithm` is "auto" or "direct".
TAPCONV_API std::string_view set_default_algorithm(std::string_view algorithm);

/// Binds it for a scope:
///
///     const tapconv::DefaultAlgorithmGuard plain_order("direct");
class DefaultAlgorithmGuard {
 public:
  explicit DefaultAlgorithmGuard(std::string_view algorithm) : previous_(set_default_algorithm(algorithm)) {}
  ~DefaultAlgorithmGuard() { set_default_algorithm(previous_); }
  DefaultAlgorithmGuard(const DefaultAlgorithmGuard&) = delete;
  DefaultAlgorithmGuard& operator=(const DefaultAlgorithmGuard&) = delete;

 private:
  std::string_view previous_;
};

}  // namespace tapconv
