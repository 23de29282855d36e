#include "push_samples.h"

#include <algorithm>

#include "copy_samples.h"

namespace tapconv::kernels {
namespace {

template <class Element>
void push_elements(const ActivationStrides& strides, int64_t kept, const Signal& samples, int64_t batch,
                   int64_t channels, Element* state) {
  const int64_t taken = std::min(kept, samples.length);
  const ActivationStrides& from = samples.strides;
  const Element* const last = static_cast<const Element*>(samples.samples) + (samples.length - taken) * from.time;
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      Element* const row = state + n * strides.batch + c * strides.channel;
      for (int64_t i = 0; i < kept - taken; ++i) row[i * strides.time] = row[(i + taken) * strides.time];
      copy_samples(last + n * from.batch + c * from.channel, from.time, taken, row + (kept - taken) * strides.time,
                   strides.time);
    }
  }
}

}  // namespace

void push_samples(const ActivationStrides& strides, int64_t kept, const Signal& samples, int64_t batch,
                  int64_t channels, int64_t element_bytes, void* state) {
  if (element_bytes == 2) {
    push_elements(strides, kept, samples, batch, channels, static_cast<uint16_t*>(state));
  } else if (element_bytes == 4) {
    push_elements(strides, kept, samples, batch, channels, static_cast<uint32_t*>(state));
  } else {
    push_elements(strides, kept, samples, batch, channels, static_cast<uint64_t*>(state));
  }
}

}  // namespace tapconv::kernels
