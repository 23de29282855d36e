// AVX2 with FMA and F16C has 16 registers of 32 bytes. Tails of float and double use the masked load and store; 16-bit
// tails go through a small array.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "exponential.h"
#include "kernels/numbers/storage.h"
#include "vector.h"

#if TAPCONV_HAVE_LIBMVEC
extern "C" {
__m256 _ZGVdN8v_expf(__m256);
__m256d _ZGVdN4v_exp(__m256d);
}
#endif

namespace tapconv::kernels {
namespace {

struct Avx2Float {
  using Scalar = float;
  using Register = __m256;
  static constexpr int width = 8;

  static __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  static __m256i lanes(int begin, int count) { return _mm256_andnot_si256(first(begin), first(begin + count)); }

  static Register zero() { return _mm256_setzero_ps(); }
  static Register broadcast(float value) { return _mm256_set1_ps(value); }
  static Register broadcast_two(const float* from) {
    double two;
    std::memcpy(&two, from, sizeof(two));
    return _mm256_castpd_ps(_mm256_set1_pd(two));
  }
  static Register broadcast_four(const float* from) {
    return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(from));
  }
  static Register broadcast_eight(const float* from) { return _mm256_loadu_ps(from); }
  static Register interleave_low(Register a, Register b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
  }
  static Register interleave_high(Register a, Register b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
  }
  static Register add_neighbours(Register a, Register b) {
    const __m256d sums = _mm256_castps_pd(_mm256_hadd_ps(a, b));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(sums, 0b11011000));
  }
  static Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static Register subtract(Register a, Register b) { return _mm256_sub_ps(a, b); }
  static Register multiply(Register a, Register b) { return _mm256_mul_ps(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm256_fmadd_ps(a, b, c); }
  static Register multiply_subtract(Register a, Register b, Register c) { return _mm256_fmsub_ps(a, b, c); }
  static Register subtract_product(Register c, Register a, Register b) { return _mm256_fnmadd_ps(a, b, c); }
  static Register divide(Register a, Register b) { return _mm256_div_ps(a, b); }
  static Register exponential(Register a) {
#if TAPCONV_HAVE_LIBMVEC
    return _ZGVdN8v_expf(a);
#else
    return exponential_of_lanes<Avx2Float>(a);
#endif
  }
  static Register larger_magnitude(Register magnitude, Register a) {
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7fffffff));
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(magnitude), bits));
  }
  static Register smaller_magnitude(Register a, Register b) {
    return _mm256_castsi256_ps(_mm256_min_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  static float sum(Register a) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
  }

  static constexpr int max_merged_vectors = 8;
  struct Merge {
    __m256i from;
    __m256 inside;
  };
  static Merge merge_of(int apart, int vector) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i at =
        _mm256_sub_epi32(_mm256_mullo_epi32(lanes, _mm256_set1_epi32(apart)), _mm256_set1_epi32(vector * width));
    const __m256i inside = _mm256_cmpeq_epi32(_mm256_srli_epi32(at, 3), _mm256_setzero_si256());
    return {at, _mm256_castsi256_ps(inside)};
  }
  static Register merged(Register a, Register vector, const Merge& merge) {
    return _mm256_blendv_ps(a, _mm256_permutevar8x32_ps(vector, merge.from), merge.inside);
  }

  static Register load(const float* from) { return _mm256_loadu_ps(from); }
  static Register load(const BFloat16* from) { return widen_bfloat16(load_16bit(from)); }
  static Register load(const Float16* from) { return _mm256_cvtph_ps(load_16bit(from)); }

  static Register load_partial(const float* from, int count) { return _mm256_maskload_ps(from, first(count)); }
  static Register load_partial(const BFloat16* from, int count) { return widen_bfloat16(load_16bit(from, count)); }
  static Register load_partial(const Float16* from, int count) { return _mm256_cvtph_ps(load_16bit(from, count)); }

  static Register load_some(const float* from, int begin, int count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    // Past the loaded lanes there are zeros, and lanes before `begin` wrap round to those.
    return _mm256_permutevar8x32_ps(load_partial(from, count), _mm256_sub_epi32(lanes, _mm256_set1_epi32(begin)));
  }
  template <class Storage>
  static Register load_some(const Storage* from, int begin, int count) {
    Storage values[width] = {};
    std::memcpy(values + begin, from, static_cast<size_t>(count) * sizeof(Storage));
    return load(values);
  }

  static Register load_lanes(Register a, const float* from, int begin, int count) {
    const __m256i mask = lanes(begin, count);
    return _mm256_blendv_ps(a, _mm256_maskload_ps(from - begin, mask), _mm256_castsi256_ps(mask));
  }
  static void store_lanes(float* to, Register a, int begin, int count) {
    _mm256_maskstore_ps(to - begin, lanes(begin, count), a);
  }
  static void store_lanes(BFloat16* to, Register a, int begin, int count) {
    store_16bit(to, narrow_bfloat16(a), begin, count);
  }
  static void store_lanes(Float16* to, Register a, int begin, int count) {
    store_16bit(to, narrow_float16(a), begin, count);
  }

  static void store(float* to, Register a) { _mm256_storeu_ps(to, a); }
  static void store(BFloat16* to, Register a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrow_bfloat16(a)); }
  static void store(Float16* to, Register a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrow_float16(a)); }

  static void store_partial(float* to, Register a, int count) { _mm256_maskstore_ps(to, first(count), a); }
  static void store_partial(BFloat16* to, Register a, int count) { store_16bit(to, narrow_bfloat16(a), 0, count); }
  static void store_partial(Float16* to, Register a, int count) { store_16bit(to, narrow_float16(a), 0, count); }

  static void load_quads(const float* const* from, ptrdiff_t offset, Register (&rows)[4]) {
    Register t[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm256_castps128_ps256(_mm_loadu_ps(from[i] + offset));
      t[i] = _mm256_insertf128_ps(t[i], _mm_loadu_ps(from[i + 4] + offset), 1);
    }
    transpose_quads(t, rows);
  }
  static void join_quads(const Register (&rows)[4], Register (&quads)[4]) {
    Register t[4];
    transpose_quads(rows, t);
    quads[0] = _mm256_permute2f128_ps(t[0], t[1], 0x20);
    quads[1] = _mm256_permute2f128_ps(t[2], t[3], 0x20);
    quads[2] = _mm256_permute2f128_ps(t[0], t[1], 0x31);
    quads[3] = _mm256_permute2f128_ps(t[2], t[3], 0x31);
  }

  static void transpose(Register (&rows)[width]) {
    Register t[width];
#pragma GCC unroll 4
    for (int i = 0; i < width; i += 2) {
      t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < width; i += 4) {
      rows[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
      rows[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
      rows[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      rows[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      t[j] = _mm256_permute2f128_ps(rows[j], rows[j + 4], 0x20);
      t[j + 4] = _mm256_permute2f128_ps(rows[j], rows[j + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int j = 0; j < width; ++j) rows[j] = t[j];
  }

 private:
  // Lanes are transposed four by four within each 128 bits.
  static void transpose_quads(const Register (&from)[4], Register (&to)[4]) {
    const Register a = _mm256_unpacklo_ps(from[0], from[1]);
    const Register b = _mm256_unpackhi_ps(from[0], from[1]);
    const Register c = _mm256_unpacklo_ps(from[2], from[3]);
    const Register d = _mm256_unpackhi_ps(from[2], from[3]);
    to[0] = _mm256_shuffle_ps(a, c, 0x44);
    to[1] = _mm256_shuffle_ps(a, c, 0xee);
    to[2] = _mm256_shuffle_ps(b, d, 0x44);
    to[3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  template <class Storage>
  static __m128i load_16bit(const Storage* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  template <class Storage>
  static __m128i load_16bit(const Storage* from, int count) {
    alignas(16) Storage lanes[width] = {};
    std::memcpy(lanes, from, sizeof(Storage) * static_cast<unsigned>(count));
    return _mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
  }
  template <class Storage>
  static void store_16bit(Storage* to, __m128i bits, int begin, int count) {
    alignas(16) Storage lanes[width];
    _mm_store_si128(reinterpret_cast<__m128i*>(lanes), bits);
    std::memcpy(to, lanes + begin, sizeof(Storage) * static_cast<unsigned>(count));
  }
  static Register widen_bfloat16(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  static __m128i narrow_bfloat16(Register a) {
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i even = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    const __m256i high = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_set1_epi32(0x7fc0), is_nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
  }
  static __m128i narrow_float16(Register a) { return _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT); }
};

struct Avx2Double {
  using Scalar = double;
  using Register = __m256d;
  static constexpr int width = 4;

  static __m256i first(int count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }

  static __m256i lanes(int begin, int count) { return _mm256_andnot_si256(first(begin), first(begin + count)); }

  static Register zero() { return _mm256_setzero_pd(); }
  static Register broadcast(double value) { return _mm256_set1_pd(value); }
  static Register broadcast_two(const double* from) {
    return _mm256_broadcast_pd(reinterpret_cast<const __m128d*>(from));
  }
  static Register broadcast_four(const double* from) { return _mm256_loadu_pd(from); }
  static Register interleave_low(Register a, Register b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x20);
  }
  static Register interleave_high(Register a, Register b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x31);
  }
  static Register add_neighbours(Register a, Register b) {
    return _mm256_permute4x64_pd(_mm256_hadd_pd(a, b), 0b11011000);
  }
  static Register add(Register a, Register b) { return _mm256_add_pd(a, b); }
  static Register subtract(Register a, Register b) { return _mm256_sub_pd(a, b); }
  static Register multiply(Register a, Register b) { return _mm256_mul_pd(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return _mm256_fmadd_pd(a, b, c); }
  static Register multiply_subtract(Register a, Register b, Register c) { return _mm256_fmsub_pd(a, b, c); }
  static Register subtract_product(Register c, Register a, Register b) { return _mm256_fnmadd_pd(a, b, c); }
  static Register divide(Register a, Register b) { return _mm256_div_pd(a, b); }
  static Register exponential(Register a) {
#if TAPCONV_HAVE_LIBMVEC
    return _ZGVdN4v_exp(a);
#else
    return exponential_of_lanes<Avx2Double>(a);
#endif
  }
  static Register larger_magnitude(Register magnitude, Register a) {
    const __m256d bits = _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
    return _mm256_blendv_pd(magnitude, bits, is_larger(bits, magnitude));
  }
  static Register smaller_magnitude(Register a, Register b) { return _mm256_blendv_pd(a, b, is_larger(a, b)); }
  static double sum(Register a) {
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
  }

  static constexpr int max_merged_vectors = 4;
  struct Merge {
    __m256i from;  // of the halves of a double
    __m256d inside;
  };
  static Merge merge_of(int apart, int vector) {
    const __m256i halves = _mm256_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1);
    const __m256i lanes = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    const __m256i at =
        _mm256_sub_epi32(_mm256_mullo_epi32(lanes, _mm256_set1_epi32(apart)), _mm256_set1_epi32(vector * width));
    const __m256i inside = _mm256_cmpeq_epi32(_mm256_srli_epi32(at, 2), _mm256_setzero_si256());
    return {_mm256_add_epi32(_mm256_add_epi32(at, at), halves), _mm256_castsi256_pd(inside)};
  }
  static Register merged(Register a, Register vector, const Merge& merge) {
    const __m256 moved = _mm256_permutevar8x32_ps(_mm256_castpd_ps(vector), merge.from);
    return _mm256_blendv_pd(a, _mm256_castps_pd(moved), merge.inside);
  }

  static Register load(const double* from) { return _mm256_loadu_pd(from); }
  static Register load_partial(const double* from, int count) { return _mm256_maskload_pd(from, first(count)); }
  static Register load_some(const double* from, int begin, int count) {
    double values[width] = {};
    std::memcpy(values + begin, from, static_cast<size_t>(count) * sizeof(double));
    return load(values);
  }
  static Register load_lanes(Register a, const double* from, int begin, int count) {
    const __m256i mask = lanes(begin, count);
    return _mm256_blendv_pd(a, _mm256_maskload_pd(from - begin, mask), _mm256_castsi256_pd(mask));
  }
  static void store_lanes(double* to, Register a, int begin, int count) {
    _mm256_maskstore_pd(to - begin, lanes(begin, count), a);
  }
  static void store(double* to, Register a) { _mm256_storeu_pd(to, a); }
  static void store_partial(double* to, Register a, int count) { _mm256_maskstore_pd(to, first(count), a); }

  static void transpose(Register (&rows)[width]) {
    const Register low01 = _mm256_unpacklo_pd(rows[0], rows[1]);
    const Register high01 = _mm256_unpackhi_pd(rows[0], rows[1]);
    const Register low23 = _mm256_unpacklo_pd(rows[2], rows[3]);
    const Register high23 = _mm256_unpackhi_pd(rows[2], rows[3]);
    rows[0] = _mm256_permute2f128_pd(low01, low23, 0x20);
    rows[1] = _mm256_permute2f128_pd(high01, high23, 0x20);
    rows[2] = _mm256_permute2f128_pd(low01, low23, 0x31);
    rows[3] = _mm256_permute2f128_pd(high01, high23, 0x31);
  }

 private:
  // Magnitudes are compared by their bits.
  static __m256d is_larger(Register a, Register b) {
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_castpd_si256(a), _mm256_castpd_si256(b)));
  }
};

struct Avx2 {
  static constexpr int register_count = 16;
  template <class Scalar>
  struct VectorOf {
    using type = Avx2Float;
  };
};
template <>
struct Avx2::VectorOf<double> {
  using type = Avx2Double;
};
static_assert(VectorSet<Avx2>);

}  // namespace
}  // namespace tapconv::kernels
