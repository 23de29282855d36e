// Moves the samples that a stream keeps on by those of a chunk, in place.
#pragma once

#include "gather.h"

namespace tapconv::kernels {

// The rows (batch, channels, kept) at `state` become the last `kept` of their samples and those of the chunk behind
// them. The two do not overlap. `element_bytes` is 2, 4 or 8.
void push_samples(const ActivationStrides& strides, int64_t kept, const Signal& samples, int64_t batch,
                  int64_t channels, int64_t element_bytes, void* state);

}  // namespace tapconv::kernels
