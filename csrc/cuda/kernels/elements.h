// Element types as they lie in memory, and their conversion to and from the type that the arithmetic uses.
#pragma once

#include "device_code.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#else
#include "kernels/numbers/storage.h"
#endif

namespace tapconv::cuda {

struct BFloat16 {
  uint16_t bits;
};

struct Float16 {
  uint16_t bits;
};

template <class Element>
struct WideTypeOf {
  using type = float;
};
template <>
struct WideTypeOf<double> {
  using type = double;
};
template <class Element>
using Wide = typename WideTypeOf<Element>::type;

// As many elements as one load moves.
template <class Element>
struct alignas(vector_bytes) Vector {
  static constexpr int size = vector_bytes / static_cast<int>(sizeof(Element));
  Element values[size];
};

TAPCONV_DEVICE inline float widen(float value) { return value; }
TAPCONV_DEVICE inline double widen(double value) { return value; }
TAPCONV_DEVICE inline void narrow(float value, float* to) { *to = value; }
TAPCONV_DEVICE inline void narrow(double value, double* to) { *to = value; }

#ifdef __CUDACC__
__device__ inline float widen(BFloat16 value) { return __uint_as_float(static_cast<uint32_t>(value.bits) << 16); }
__device__ inline float widen(Float16 value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ inline void narrow(float value, BFloat16* to) {
  to->bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
}
__device__ inline void narrow(float value, Float16* to) { to->bits = __half_as_ushort(__float2half_rn(value)); }
#else
inline float widen(BFloat16 value) { return kernels::widen(kernels::BFloat16{value.bits}); }
inline float widen(Float16 value) { return kernels::widen(kernels::Float16{value.bits}); }
inline void narrow(float value, BFloat16* to) {
  kernels::BFloat16 narrowed;
  kernels::narrow(value, &narrowed);
  to->bits = narrowed.bits;
}
inline void narrow(float value, Float16* to) {
  kernels::Float16 narrowed;
  kernels::narrow(value, &narrowed);
  to->bits = narrowed.bits;
}
#endif

}  // namespace tapconv::cuda
