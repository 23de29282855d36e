#include "gather.h"

#include <algorithm>

#include "copy_samples.h"

namespace tapconv::kernels {
namespace {

struct Rows {
  const BorderedSignal& signal;
  int64_t batch;
  int64_t channels;
  int64_t begin;
  int64_t end;
  void* to;
};

// Copies what `source`, whose first sample stands at position `at`, has of rows [first, last).
template <class Element>
void copy_source(const Rows& rows, const Signal& source, int64_t at, int64_t first, int64_t last) {
  const int64_t begin = std::max(rows.begin, at);
  const int64_t count = std::min(rows.end, at + source.length) - begin;
  if (count <= 0) return;
  const int64_t row_length = rows.end - rows.begin;
  const ActivationStrides& strides = source.strides;
  const Element* const samples = static_cast<const Element*>(source.samples) + (begin - at) * strides.time;
  Element* const to = static_cast<Element*>(rows.to) + (begin - rows.begin);
  for (int64_t row = first; row < last; ++row) {
    const int64_t n = row / rows.channels;
    const int64_t c = row % rows.channels;
    copy_samples(samples + n * strides.batch + c * strides.channel, strides.time, count, to + row * row_length, 1);
  }
}

template <class Element>
void gather_elements(const Rows& rows, int slots, const Parallel& parallel) {
  struct Shared {
    const Rows& rows;
    int slots;
  };
  Shared shared{rows, slots};
  parallel.run(
      slots,
      [](void* argument, int slot) {
        const Shared& s = *static_cast<const Shared*>(argument);
        const int64_t count = s.rows.batch * s.rows.channels;
        const int64_t first = count * slot / s.slots;
        const int64_t last = count * (slot + 1) / s.slots;
        const BorderedSignal& signal = s.rows.signal;
        copy_source<Element>(s.rows, signal.left, -signal.left.length, first, last);
        copy_source<Element>(s.rows, signal.input, 0, first, last);
        copy_source<Element>(s.rows, signal.right, signal.input.length, first, last);
      },
      &shared);
}

}  // namespace

void gather(const BorderedSignal& signal, int64_t batch, int64_t channels, int64_t element_bytes, int64_t begin,
            int64_t end, void* to, int slots, const Parallel& parallel) {
  const Rows rows{signal, batch, channels, begin, end, to};
  if (element_bytes == 2) {
    gather_elements<uint16_t>(rows, slots, parallel);
  } else if (element_bytes == 4) {
    gather_elements<uint32_t>(rows, slots, parallel);
  } else {
    gather_elements<uint64_t>(rows, slots, parallel);
  }
}

}  // namespace tapconv::kernels
