// This file says where the sum of an output goes: through bias, borders and phases of gradients, and one rounding.
#pragma once

#include "padding.h"

namespace tapconv::cuda {

// Writes `sum` for output channel `m` (phases included) and time `t` of sample `n`.
template <class Element>
TAPCONV_DEVICE inline void write_sum(const ForwardLaunch& launch, const ForwardArguments& arguments, int64_t n,
                                     int64_t m, int64_t t, Wide<Element> sum) {
  const kernels::Problem& problem = launch.problem;
  const kernels::ForwardVariant& variant = launch.variant;
  const int64_t channel = variant.output_phases == 1 ? m : m / variant.output_phases;
  const int64_t phase = m - channel * variant.output_phases;
  const int64_t element = t * variant.time_scale + phase * variant.phase_distance + variant.origin;
  if (element < 0 || element >= variant.output_limit) return;
  if (arguments.bias != nullptr) sum += widen(static_cast<const Element*>(arguments.bias)[channel]);
  if (arguments.borders.mode != kernels::PaddingMode::zeros) {
    const int64_t channels = problem.out_channels / variant.output_phases;
    const int64_t i = arguments.borders.first + element * arguments.borders.apart;
    sum += border_sum<Wide<Element>>(arguments.borders, n * channels + channel, i);
  }
  const int64_t offset = n * problem.output_strides.batch + channel * problem.output_strides.channel +
                         element * problem.output_strides.time;
  if (variant.wide_output) {
    static_cast<Wide<Element>*>(arguments.output)[offset] = sum;
  } else {
    narrow(sum, static_cast<Element*>(arguments.output) + offset);
  }
}

// Returns the first weight of output channel `m` (phases included) of `group`, counted within the group.
TAPCONV_DEVICE inline int64_t weight_offset(const ForwardLaunch& launch, int64_t group, int64_t m) {
  const kernels::ForwardVariant& variant = launch.variant;
  const int64_t channel = m / variant.output_phases;
  return group * variant.weight_group_stride + channel * launch.problem.weight_strides.out_channel +
         (m - channel * variant.output_phases) * variant.weight_phase_stride;
}

}  // namespace tapconv::cuda
