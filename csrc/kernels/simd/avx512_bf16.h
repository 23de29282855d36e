// AVX-512 with BF16: each 32-bit lane of a row or a weight holds the same sample of two input channels as bfloat16, and
// one instruction adds both products to the lane's float32 sum.
#pragma once

#include "avx512.h"

namespace tapconv::kernels {
namespace {

struct Avx512BFloat16Pairs : Avx512Float {
  static Register multiply_add(Register a, Register b, Register c) {
    return _mm512_dpbf16_ps(c, bits_of(a), bits_of(b));
  }

  // Puts two widened numbers, whose lower halves are zero, into one lane. The first goes to the lower half.
  static Register pair(Register first, Register second) {
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(first), 16);
    return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_castps_si512(second)));
  }

 private:
  static __m512bh bits_of(Register a) { return std::bit_cast<__m512bh>(a); }
};
static_assert(ArithmeticVector<Avx512BFloat16Pairs> && PairingVector<Avx512BFloat16Pairs>);

}  // namespace
}  // namespace tapconv::kernels
