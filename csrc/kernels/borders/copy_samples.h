// Copies samples of one row.
#pragma once

#include <cstdint>
#include <cstring>

namespace tapconv::kernels {

// From here on, a call of memcpy costs less than a loop over the samples.
inline constexpr int64_t worth_memcpy = 32;

// `from` and `to` do not overlap; their samples are so many elements apart.
template <class Element>
void copy_samples(const Element* from, int64_t from_stride, int64_t count, Element* to, int64_t to_stride) {
  if (from_stride == 1 && to_stride == 1 && count >= worth_memcpy) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(Element));
    return;
  }
  for (int64_t i = 0; i < count; ++i) to[i * to_stride] = from[i * from_stride];
}

}  // namespace tapconv::kernels
