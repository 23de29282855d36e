// A variant says where a forward problem finds its weights and puts its sums, beyond what Problem says.
#pragma once

#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::kernels {

// Gradients by the input become forward problems by means of variants (lowering/input_gradient.h).
struct ForwardVariant {
  int64_t weight_group_stride;  // between the weights of neighbouring groups, in elements

  // With more than one phase, output channel m is phase m % phases of channel m / phases. The weights of a phase begin
  // phase * weight_phase_stride elements later.
  int64_t output_phases;
  int64_t weight_phase_stride;

  // The sum at time t goes to element t * time_scale + phase * phase_distance + origin of channel m / phases, if that
  // lies within [0, output_limit).
  int64_t time_scale;
  int64_t phase_distance;
  int64_t origin;
  int64_t output_limit;

  bool wide_output;  // the output has the compute type

  bool operator==(const ForwardVariant&) const = default;
};

// Says whether the sum of output t goes to element t, for every t. A gradient may have its sums anywhere else, even
// with a single phase.
constexpr bool writes_in_order(const Problem& problem, const ForwardVariant& variant) {
  return variant.output_phases == 1 && variant.time_scale == 1 && variant.origin == 0 &&
         variant.output_limit == problem.output_length;
}

// Returns the variant of a forward problem as the user sees it, with one phase and sums in their order.
inline ForwardVariant plain_variant(const Problem& problem) {
  ForwardVariant variant{};
  variant.weight_group_stride =
      problem.groups > 0 ? problem.out_channels / problem.groups * problem.weight_strides.out_channel : 0;
  variant.output_phases = 1;
  variant.time_scale = 1;
  variant.output_limit = problem.output_length;
  return variant;
}

}  // namespace tapconv::kernels
