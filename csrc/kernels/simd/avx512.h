// AVX-512 (F, BW, DQ, VL) has 32 registers of 64 bytes. Tails are masked, so nothing is read or written past an end.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "exponential.h"
#include "kernels/numbers/storage.h"
#include "vector.h"

#if TAPCONV_HAVE_LIBMVEC
extern "C" {
__m512 _ZGVeN16v_expf(__m512);
__m512d _ZGVeN8v_exp(__m512d);
}
#endif

namespace tapconv::kernels {
namespace {

struct Avx512Float {
  using Scalar = float;
  using Register = __m512;
  static constexpr int width = 16;

  static __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1u); }
  static __mmask16 lanes(int first, int count) { return static_cast<__mmask16>(((1u << count) - 1u) << first); }

  static Register zero() { return _mm512_setzero_ps(); }
  static Register broadcast(float value) { return _mm512_set1_ps(value); }
  static Register broadcast_two(const float* from) {
    double two;
    std::memcpy(&two, from, sizeof(two));
    return _mm512_castpd_ps(_mm512_set1_pd(two));
  }
  static Register broadcast_four(const float* from) { return _mm512_broadcast_f32x4(_mm_loadu_ps(from)); }
  static Register broadcast_eight(const float* from) { return _mm512_broadcast_f32x8(_mm256_loadu_ps(from)); }
  static Register interleave_low(Register a, Register b) {
    const __m512i turns = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, turns, b);
  }
  static Register interleave_high(Register a, Register b) {
    const __m512i turns = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, turns, b);
  }
  static Register add_neighbours(Register a, Register b) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
  }
  static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static Register subtract(Register a, Register b) { return _mm512_sub_ps(a, b); }
  static Register multiply(Register a, Register b) { return _mm512_mul_ps(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm512_fmadd_ps(a, b, c); }
  static Register multiply_subtract(Register a, Register b, Register c) { return _mm512_fmsub_ps(a, b, c); }
  static Register subtract_product(Register c, Register a, Register b) { return _mm512_fnmadd_ps(a, b, c); }
  static Register divide(Register a, Register b) { return _mm512_div_ps(a, b); }
  static Register exponential(Register a) {
#if TAPCONV_HAVE_LIBMVEC
    return _ZGVeN16v_expf(a);
#else
    return exponential_of_lanes<Avx512Float>(a);
#endif
  }
  static float sum(Register a) { return _mm512_reduce_add_ps(a); }
  static Register larger_magnitude(Register magnitude, Register a) {
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff));
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(magnitude), bits));
  }
  static Register smaller_magnitude(Register a, Register b) {
    return _mm512_castsi512_ps(_mm512_min_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }

  using Shift = __m512i;
  static Shift shift_of(int count) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(lanes, _mm512_set1_epi32(count));
  }
  static Register shifted(Register low, Register high, Shift shift) { return _mm512_permutex2var_ps(low, shift, high); }
  template <int count>
  static Register shifted_by(Register low, Register high) {
    return shifted(low, high, shift_of(count));
  }

  static constexpr int max_merged_vectors = 16;
  using Merge = __m512i;
  static Merge merge_of(int apart, int vector) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at =
        _mm512_sub_epi32(_mm512_mullo_epi32(lanes, _mm512_set1_epi32(apart)), _mm512_set1_epi32(vector * width));
    const __mmask16 inside = _mm512_cmplt_epu32_mask(at, _mm512_set1_epi32(width));
    return _mm512_mask_add_epi32(lanes, inside, at, _mm512_set1_epi32(width));
  }
  static Register merged(Register a, Register vector, Merge merge) { return _mm512_permutex2var_ps(a, merge, vector); }

  static Register load(const float* from) { return _mm512_loadu_ps(from); }
  static Register load(const BFloat16* from) { return widen_bfloat16(_mm256_loadu_si256(as_vector(from))); }
  static Register load(const Float16* from) { return _mm512_cvtph_ps(_mm256_loadu_si256(as_vector(from))); }

  static Register load_partial(const float* from, int count) { return _mm512_maskz_loadu_ps(first(count), from); }
  static Register load_partial(const BFloat16* from, int count) {
    return widen_bfloat16(_mm256_maskz_loadu_epi16(first(count), from));
  }
  static Register load_partial(const Float16* from, int count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), from));
  }

  static Register load_some(const float* from, int first, int count) {
    return _mm512_maskz_loadu_ps(lanes(first, count), from - first);
  }
  static Register load_some(const BFloat16* from, int first, int count) {
    return widen_bfloat16(_mm256_maskz_loadu_epi16(lanes(first, count), from - first));
  }
  static Register load_some(const Float16* from, int first, int count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes(first, count), from - first));
  }

  static Register load_lanes(Register a, const float* from, int first, int count) {
    return _mm512_mask_loadu_ps(a, lanes(first, count), from - first);
  }
  static void store_lanes(float* to, Register a, int first, int count) {
    _mm512_mask_storeu_ps(to - first, lanes(first, count), a);
  }
  static void store_lanes(BFloat16* to, Register a, int first, int count) {
    _mm256_mask_storeu_epi16(to - first, lanes(first, count), narrow_bfloat16(a));
  }
  static void store_lanes(Float16* to, Register a, int first, int count) {
    _mm256_mask_storeu_epi16(to - first, lanes(first, count), narrow_float16(a));
  }

  static void store(float* to, Register a) { _mm512_storeu_ps(to, a); }
  static void store(BFloat16* to, Register a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow_bfloat16(a));
  }
  static void store(Float16* to, Register a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow_float16(a)); }

  static void store_partial(float* to, Register a, int count) { _mm512_mask_storeu_ps(to, first(count), a); }
  static void store_partial(BFloat16* to, Register a, int count) {
    _mm256_mask_storeu_epi16(to, first(count), narrow_bfloat16(a));
  }
  static void store_partial(Float16* to, Register a, int count) {
    _mm256_mask_storeu_epi16(to, first(count), narrow_float16(a));
  }

  static void load_quads(const float* const* from, ptrdiff_t offset, Register (&rows)[4]) {
    Register t[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm512_castps128_ps512(_mm_loadu_ps(from[i] + offset));
      t[i] = _mm512_insertf32x4(t[i], _mm_loadu_ps(from[i + 4] + offset), 1);
      t[i] = _mm512_insertf32x4(t[i], _mm_loadu_ps(from[i + 8] + offset), 2);
      t[i] = _mm512_insertf32x4(t[i], _mm_loadu_ps(from[i + 12] + offset), 3);
    }
    transpose_quads(t, rows);
  }
  static void join_quads(const Register (&rows)[4], Register (&quads)[4]) {
    Register t[4];
    transpose_quads(rows, t);
    const Register a = _mm512_shuffle_f32x4(t[0], t[1], 0x44);
    const Register b = _mm512_shuffle_f32x4(t[2], t[3], 0x44);
    const Register c = _mm512_shuffle_f32x4(t[0], t[1], 0xee);
    const Register d = _mm512_shuffle_f32x4(t[2], t[3], 0xee);
    quads[0] = _mm512_shuffle_f32x4(a, b, 0x88);
    quads[1] = _mm512_shuffle_f32x4(a, b, 0xdd);
    quads[2] = _mm512_shuffle_f32x4(c, d, 0x88);
    quads[3] = _mm512_shuffle_f32x4(c, d, 0xdd);
  }

  // Rows become columns in steps: pairs of elements change places, then pairs of pairs, then 128-bit lanes.
  static void transpose(Register (&rows)[width]) {
    Register t[width];
#pragma GCC unroll 16
    for (int i = 0; i < width; i += 2) {
      t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < width; i += 4) {
      rows[i] = unpack_low_pairs(t[i], t[i + 2]);
      rows[i + 1] = unpack_high_pairs(t[i], t[i + 2]);
      rows[i + 2] = unpack_low_pairs(t[i + 1], t[i + 3]);
      rows[i + 3] = unpack_high_pairs(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < width; i += 8) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        t[i + j] = _mm512_shuffle_f32x4(rows[i + j], rows[i + j + 4], 0x88);
        t[i + j + 4] = _mm512_shuffle_f32x4(rows[i + j], rows[i + j + 4], 0xdd);
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      rows[j] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0x88);
      rows[j + 8] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0xdd);
    }
  }

 private:
  // Lanes are transposed four by four within each 128 bits.
  static void transpose_quads(const Register (&from)[4], Register (&to)[4]) {
    const Register a = _mm512_unpacklo_ps(from[0], from[1]);
    const Register b = _mm512_unpackhi_ps(from[0], from[1]);
    const Register c = _mm512_unpacklo_ps(from[2], from[3]);
    const Register d = _mm512_unpackhi_ps(from[2], from[3]);
    to[0] = unpack_low_pairs(a, c);
    to[1] = unpack_high_pairs(a, c);
    to[2] = unpack_low_pairs(b, d);
    to[3] = unpack_high_pairs(b, d);
  }
  static Register unpack_low_pairs(Register a, Register b) {
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  }
  static Register unpack_high_pairs(Register a, Register b) {
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  }
  template <class Storage>
  static const __m256i* as_vector(const Storage* from) {
    return reinterpret_cast<const __m256i*>(from);
  }
  static Register widen_bfloat16(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static __m256i narrow_bfloat16(Register a) {
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(
        _mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), is_nan, _mm512_set1_epi32(0x7fc0)));
  }
  static __m256i narrow_float16(Register a) { return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT); }
};

struct Avx512Double {
  using Scalar = double;
  using Register = __m512d;
  static constexpr int width = 8;

  static __mmask8 first(int count) { return static_cast<__mmask8>((1u << count) - 1u); }
  static __mmask8 lanes(int first, int count) { return static_cast<__mmask8>(((1u << count) - 1u) << first); }

  static Register zero() { return _mm512_setzero_pd(); }
  static Register broadcast(double value) { return _mm512_set1_pd(value); }
  static Register broadcast_two(const double* from) { return _mm512_broadcast_f64x2(_mm_loadu_pd(from)); }
  static Register broadcast_four(const double* from) { return _mm512_broadcast_f64x4(_mm256_loadu_pd(from)); }
  static Register broadcast_eight(const double* from) { return _mm512_loadu_pd(from); }
  static Register interleave_low(Register a, Register b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
  }
  static Register interleave_high(Register a, Register b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
  }
  static Register add_neighbours(Register a, Register b) {
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    return _mm512_add_pd(_mm512_permutex2var_pd(a, even, b), _mm512_permutex2var_pd(a, odd, b));
  }
  static Register add(Register a, Register b) { return _mm512_add_pd(a, b); }
  static Register subtract(Register a, Register b) { return _mm512_sub_pd(a, b); }
  static Register multiply(Register a, Register b) { return _mm512_mul_pd(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm512_fmadd_pd(a, b, c); }
  static Register multiply_subtract(Register a, Register b, Register c) { return _mm512_fmsub_pd(a, b, c); }
  static Register subtract_product(Register c, Register a, Register b) { return _mm512_fnmadd_pd(a, b, c); }
  static Register divide(Register a, Register b) { return _mm512_div_pd(a, b); }
  static Register exponential(Register a) {
#if TAPCONV_HAVE_LIBMVEC
    return _ZGVeN8v_exp(a);
#else
    return exponential_of_lanes<Avx512Double>(a);
#endif
  }
  static double sum(Register a) { return _mm512_reduce_add_pd(a); }
  static Register larger_magnitude(Register magnitude, Register a) {
    const __m512i bits = _mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(0x7fffffffffffffff));
    return _mm512_castsi512_pd(_mm512_max_epi64(_mm512_castpd_si512(magnitude), bits));
  }
  static Register smaller_magnitude(Register a, Register b) {
    return _mm512_castsi512_pd(_mm512_min_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(b)));
  }

  using Shift = __m512i;
  static Shift shift_of(int count) {
    return _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(count));
  }
  static Register shifted(Register low, Register high, Shift shift) { return _mm512_permutex2var_pd(low, shift, high); }

  static constexpr int max_merged_vectors = 16;
  using Merge = __m512i;
  static Merge merge_of(int apart, int vector) {
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i at =
        _mm512_sub_epi64(_mm512_mullo_epi64(lanes, _mm512_set1_epi64(apart)), _mm512_set1_epi64(vector * width));
    const __mmask8 inside = _mm512_cmplt_epu64_mask(at, _mm512_set1_epi64(width));
    return _mm512_mask_add_epi64(lanes, inside, at, _mm512_set1_epi64(width));
  }
  static Register merged(Register a, Register vector, Merge merge) { return _mm512_permutex2var_pd(a, merge, vector); }

  static Register load(const double* from) { return _mm512_loadu_pd(from); }
  static Register load_partial(const double* from, int count) { return _mm512_maskz_loadu_pd(first(count), from); }
  static Register load_some(const double* from, int first, int count) {
    return _mm512_maskz_loadu_pd(lanes(first, count), from - first);
  }
  static Register load_lanes(Register a, const double* from, int first, int count) {
    return _mm512_mask_loadu_pd(a, lanes(first, count), from - first);
  }
  static void store_lanes(double* to, Register a, int first, int count) {
    _mm512_mask_storeu_pd(to - first, lanes(first, count), a);
  }
  static void store(double* to, Register a) { _mm512_storeu_pd(to, a); }
  static void store_partial(double* to, Register a, int count) { _mm512_mask_storeu_pd(to, first(count), a); }

  static void transpose(Register (&rows)[width]) {
    Register t[width];
#pragma GCC unroll 4
    for (int i = 0; i < width; i += 2) {
      t[i] = _mm512_unpacklo_pd(rows[i], rows[i + 1]);
      t[i + 1] = _mm512_unpackhi_pd(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < width; i += 4) {
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        rows[i + j] = _mm512_shuffle_f64x2(t[i + j], t[i + j + 2], 0x88);
        rows[i + j + 2] = _mm512_shuffle_f64x2(t[i + j], t[i + j + 2], 0xdd);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      t[j] = _mm512_shuffle_f64x2(rows[j], rows[j + 4], 0x88);
      t[j + 4] = _mm512_shuffle_f64x2(rows[j], rows[j + 4], 0xdd);
    }
#pragma GCC unroll 8
    for (int j = 0; j < width; ++j) rows[j] = t[j];
  }
};

struct Avx512 {
  static constexpr int register_count = 32;
  template <class Scalar>
  struct VectorOf {
    using type = Avx512Float;
  };
};
template <>
struct Avx512::VectorOf<double> {
  using type = Avx512Double;
};
static_assert(VectorSet<Avx512> && ShiftingVector<Avx512Float> && ShiftingVector<Avx512Double>);

}  // namespace
}  // namespace tapconv::kernels
