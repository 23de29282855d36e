// A column: the samples that one output position reads, (in_channel, tap) by (in_channel, tap), as weights lie in
// memory.
#pragma once

#include "kernels/rows/padding.h"
#include "kernels/rows/rows.h"

namespace tapconv::kernels {
namespace {

// An output position, counted over all samples.
struct OutputPosition {
  int64_t sample;
  int64_t time;

  void advance(int64_t output_length) {
    if (++time < output_length) return;
    time = 0;
    ++sample;
  }
};

// Gathers what output position `time` reads of some input channels: [in_channel][tap]. The taps that read samples are
// the same for all channels. Up to a vector behind the column may be written.
template <class Vector, class Storage>
void gather_column(const Problem& p, const Storage* input, int64_t channels, int64_t time,
                   typename Vector::Scalar* column) {
  using Scalar = typename Vector::Scalar;
  const int64_t first = time * p.stride - p.padding_left;
  int64_t begin = 0;
  while (begin < p.kernel_size && first + begin * p.dilation < 0) ++begin;
  int64_t end = p.kernel_size;
  while (end > begin && first + (end - 1) * p.dilation >= p.input_length) --end;
  const int64_t apart = p.dilation * p.input_strides.time;
  const bool pads_zeros = p.padding_mode == PaddingMode::zeros || (begin == 0 && end == p.kernel_size);
  const bool side_by_side = apart == 1 || p.kernel_size == 1;
  if (side_by_side && pads_zeros && begin < end && p.kernel_size <= Vector::width) {
    // A vector for each channel: its spare lanes are the zeros of padded taps, and the next channel's to overwrite.
    const int count = static_cast<int>(end - begin);
    const Storage* samples = input + first * p.input_strides.time + begin * apart;
    for (int64_t k = 0; k < begin; ++k) column[k] = Scalar(0);
    for (int64_t c = 0; c < channels; ++c, column += p.kernel_size, samples += p.input_strides.channel) {
      Vector::store(column + begin, Vector::load_partial(samples, count));
    }
    return;
  }
  for (int64_t c = 0; c < channels; ++c, column += p.kernel_size) {
    const Storage* const channel = input + c * p.input_strides.channel;
    const auto pad = [&](int64_t k) {
      const int64_t source = source_of(first + k * p.dilation, p);
      column[k] = source < 0 ? Scalar(0) : widen(channel[source * p.input_strides.time]);
    };
    for (int64_t k = 0; k < begin; ++k) pad(k);
    const Storage* const samples = channel + first * p.input_strides.time;
    for (int64_t k = begin; k < end; ++k) column[k] = widen(samples[k * apart]);
    for (int64_t k = end; k < p.kernel_size; ++k) pad(k);
  }
}

}  // namespace
}  // namespace tapconv::kernels
