// Element types as they lie in memory, what they take there, and their conversion to and from the type that they are
// summed in.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/problem.h"

namespace tapconv::kernels {

constexpr int64_t storage_bytes(DataType data_type) {
  return data_type == DataType::float32 ? 4 : data_type == DataType::float64 ? 8 : 2;
}

// float64 is summed in its own type, every other type in float32.
constexpr int64_t compute_bytes(DataType data_type) { return data_type == DataType::float64 ? 8 : 4; }

constexpr bool computes_in_own_type(DataType data_type) {
  return data_type == DataType::float32 || data_type == DataType::float64;
}

// Linkage is internal on purpose, here and in every header that targets/*.cpp include. Each instruction set has its own
// copy of every function, so a linker can never hand one that was compiled for AVX-512 to the portable path.
namespace {

struct BFloat16 {
  uint16_t bits;
};

struct Float16 {
  uint16_t bits;
};

template <class Storage>
struct ComputeTypeOf {
  using type = float;
};
template <>
struct ComputeTypeOf<double> {
  using type = double;
};
template <class Storage>
using ComputeType = typename ComputeTypeOf<Storage>::type;

inline float widen(float value) { return value; }
inline double widen(double value) { return value; }

inline float widen(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

inline float widen(Float16 value) {
  // Shifting the exponent and fraction into place leaves a number too small by 2^112, subnormals included.
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t rest = static_cast<uint32_t>(value.bits & 0x7fffu) << 13;
  if (rest >= 0x0f800000u) return std::bit_cast<float>(sign | 0x70000000u | rest);  // infinity and NaN
  const float magnitude = std::bit_cast<float>(rest) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

inline void narrow(float value, float* to) { *to = value; }
inline void narrow(double value, double* to) { *to = value; }

// Rounds to nearest, ties to even. A NaN becomes the quiet NaN that torch writes.
inline void narrow(float value, BFloat16* to) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    to->bits = 0x7fc0u;
    return;
  }
  to->bits = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline void narrow(float value, Float16* to) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u) {
    to->bits = static_cast<uint16_t>(sign | 0x7e00u | ((rest >> 13) & 0x3ffu));
  } else if (rest >= 0x477ff000u) {  // 65520 and above round to infinity
    to->bits = static_cast<uint16_t>(sign | 0x7c00u);
  } else if (rest < 0x38800000u) {  // below 2^-14: let the addition round at the last subnormal bit, 2^-24
    const float rounded = std::bit_cast<float>(rest) + 0.5f;
    to->bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000u));
  } else {
    const uint32_t even = (rest >> 13) & 1u;
    to->bits = static_cast<uint16_t>(sign | ((rest - 0x38000000u + 0xfffu + even) >> 13));
  }
}

}  // namespace
}  // namespace tapconv::kernels
