// AVX-512 (F, BW) holds 16-bit numbers as they are stored, for copying alone.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "avx512.h"
#include "kernels/numbers/storage.h"
#include "vector.h"

namespace tapconv::kernels {
namespace {

struct Avx512HalfWords {
  using Scalar = BFloat16;
  using Register = __m512i;
  static constexpr int width = 32;

  static Register zero() { return _mm512_setzero_si512(); }
  static Register load(const BFloat16* from) { return _mm512_loadu_si512(from); }
  static Register load_partial(const BFloat16* from, int count) { return _mm512_maskz_loadu_epi16(first(count), from); }
  static Register load_some(const BFloat16* from, int begin, int count) {
    return _mm512_maskz_loadu_epi16(first(begin + count) & ~first(begin), from - begin);
  }
  static void store(BFloat16* to, Register a) { _mm512_storeu_si512(to, a); }
  static void store_partial(BFloat16* to, Register a, int count) { _mm512_mask_storeu_epi16(to, first(count), a); }

  static constexpr int max_merged_vectors = 32;
  using Merge = __m512i;
  static Merge merge_of(int apart, int vector) {
    const __m512i lanes = numbers();
    const __m512i at = _mm512_sub_epi16(_mm512_mullo_epi16(lanes, _mm512_set1_epi16(static_cast<int16_t>(apart))),
                                        _mm512_set1_epi16(static_cast<int16_t>(vector * width)));
    const __mmask32 inside = _mm512_cmplt_epu16_mask(at, _mm512_set1_epi16(width));
    return _mm512_mask_add_epi16(lanes, inside, at, _mm512_set1_epi16(width));
  }
  static Register merged(Register a, Register vector, Merge merge) {
    return _mm512_permutex2var_epi16(a, merge, vector);
  }

  // Lane i of 16 lanes of 32 bits gets low[i] in its lower half and high[i] in its upper half.
  static void store_pairs(uint32_t* to, const BFloat16* low, const BFloat16* high) {
    const __m512i lower = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(low)));
    const __m512i upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(high)));
    _mm512_storeu_si512(to, _mm512_or_si512(lower, _mm512_slli_epi32(upper, 16)));
  }

  // Takes 16 pieces of `count` pairs of neighbours each, at most 16. The i-th pairs go side by side to `to` + i *
  // distance.
  static void transpose_lanes(const BFloat16* const (&from)[16], int count, uint32_t* to, ptrdiff_t distance) {
    Avx512Float::Register lanes[16];
    const __mmask16 wanted = static_cast<__mmask16>((1u << count) - 1u);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) lanes[i] = _mm512_maskz_loadu_ps(wanted, from[i]);
    Avx512Float::transpose(lanes);
    for (int i = 0; i < count; ++i) _mm512_storeu_ps(to + i * distance, lanes[i]);
  }

  // Takes `count` neighbours, at most 16, from each of `channels` rows, at most 32, which begin `apart` from each
  // other. to[i] takes the i-th of each row, in the order of the rows, unless it is null.
  static void transpose_pairs(const BFloat16* from, ptrdiff_t apart, int channels, int count, BFloat16* const* to) {
    Avx512Float::Register pairs[16];
    const __mmask16 wanted = static_cast<__mmask16>((1u << count) - 1u);
    const auto row = [&](int channel) {
      return channel < channels ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(wanted, from + channel * apart))
                                : _mm512_setzero_si512();
    };
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      pairs[i] = _mm512_castsi512_ps(_mm512_or_si512(row(2 * i), _mm512_slli_epi32(row(2 * i + 1), 16)));
    }
    Avx512Float::transpose(pairs);
    for (int i = 0; i < count; ++i) {
      if (to[i] != nullptr) store_partial(to[i], _mm512_castps_si512(pairs[i]), channels);
    }
  }

 private:
  static __mmask32 first(int count) { return static_cast<__mmask32>((uint64_t(1) << count) - 1u); }
  static __m512i numbers() {
    alignas(64) static constexpr uint16_t from_zero[width] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                              11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                              22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    return _mm512_load_si512(from_zero);
  }
};
static_assert(HalfWordVector<Avx512HalfWords>);

}  // namespace
}  // namespace tapconv::kernels
