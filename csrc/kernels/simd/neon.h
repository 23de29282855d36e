// Advanced SIMD of aarch64 (NEON) has 32 registers of 16 bytes, and multiply-adds that round once. Tails are put
// together lane by lane. Lanes are moved by table look-ups, which leave a lane alone if its index lies beyond the
// table.
//
// A multiply-add takes one lane of a register for all lanes of a factor, so that compilers load a broadcast number like
// any other, without spreading it. Register budget: the full tile of the direct sum, 8 rows by 3 vectors, holds 24
// sums, 3 vectors of a row and at least one weight, and has 24 multiply-adds for 11 loads (2 of them one instruction)
// at each step. The largest tiles of the weight gradient have 24 for 11 and for 10. At most one load in four crosses a
// cache line, so vectors are not cut out of their neighbours in the window tile.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "exponential.h"
#include "kernels/numbers/storage.h"
#include "vector.h"

namespace tapconv::kernels {
namespace {

// Returns indices of table look-ups that move words of 32 bits: at[i] says which word of a vector comes to place i. A
// word that is not among the first `count` is out of the table.
inline uint8x16_t neon_indices(int32x4_t at, int count) {
  const uint32x4_t words = vreinterpretq_u32_s32(at);
  const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100u), words, 0x04040404u);
  const uint32x4_t inside = vcltq_u32(words, vdupq_n_u32(static_cast<uint32_t>(count)));
  return vreinterpretq_u8_u32(vornq_u32(bytes, inside));
}

struct NeonFloat {
  using Scalar = float;
  using Register = float32x4_t;
  static constexpr int width = 4;

  static Register zero() { return vdupq_n_f32(0.0f); }
  static Register broadcast(float value) { return vdupq_n_f32(value); }
  static Register broadcast_two(const float* from) {
    double two;
    std::memcpy(&two, from, sizeof(two));
    return vreinterpretq_f32_f64(vdupq_n_f64(two));
  }
  static Register broadcast_four(const float* from) { return vld1q_f32(from); }
  static Register interleave_low(Register a, Register b) { return vzip1q_f32(a, b); }
  static Register interleave_high(Register a, Register b) { return vzip2q_f32(a, b); }
  static Register add_neighbours(Register a, Register b) { return vpaddq_f32(a, b); }
  static Register add(Register a, Register b) { return vaddq_f32(a, b); }
  static Register subtract(Register a, Register b) { return vsubq_f32(a, b); }
  static Register multiply(Register a, Register b) { return vmulq_f32(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return vfmaq_f32(c, a, b); }
  static Register multiply_subtract(Register a, Register b, Register c) { return vfmaq_f32(vnegq_f32(c), a, b); }
  static Register subtract_product(Register c, Register a, Register b) { return vfmsq_f32(c, a, b); }
  static Register divide(Register a, Register b) { return vdivq_f32(a, b); }
  static Register exponential(Register a) { return exponential_of_lanes<NeonFloat>(a); }
  static Register larger_magnitude(Register magnitude, Register a) {
    const int32x4_t bits = vandq_s32(vreinterpretq_s32_f32(a), vdupq_n_s32(0x7fffffff));
    return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(magnitude), bits));
  }
  static Register smaller_magnitude(Register a, Register b) {
    return vreinterpretq_f32_s32(vminq_s32(vreinterpretq_s32_f32(a), vreinterpretq_s32_f32(b)));
  }
  static float sum(Register a) { return vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a))); }

  template <int count>
  static Register shifted_by(Register low, Register high) {
    return vextq_f32(low, high, count);
  }

  static constexpr int max_merged_vectors = 4;
  using Merge = uint8x16_t;
  static Merge merge_of(int apart, int vector) {
    return neon_indices(vmlaq_n_s32(vdupq_n_s32(-vector * width), lane_numbers(), apart), width);
  }
  static Register merged(Register a, Register vector, Merge merge) {
    return vreinterpretq_f32_u8(vqtbx1q_u8(vreinterpretq_u8_f32(a), vreinterpretq_u8_f32(vector), merge));
  }

  static Register load(const float* from) { return vld1q_f32(from); }
  static Register load(const BFloat16* from) { return widen_bfloat16(load_16bit(from)); }
  static Register load(const Float16* from) { return widen_float16(load_16bit(from)); }

  static Register load_partial(const float* from, int count) {
    Register a = zero();
    if (count > 0) a = vld1q_lane_f32(from, a, 0);
    if (count > 1) a = vld1q_lane_f32(from + 1, a, 1);
    if (count > 2) a = vld1q_lane_f32(from + 2, a, 2);
    if (count > 3) a = vld1q_lane_f32(from + 3, a, 3);
    return a;
  }
  static Register load_partial(const BFloat16* from, int count) { return widen_bfloat16(load_16bit(from, count)); }
  static Register load_partial(const Float16* from, int count) { return widen_float16(load_16bit(from, count)); }

  template <class Storage>
  static Register load_some(const Storage* from, int begin, int count) {
    return load_lanes(zero(), from, begin, count);
  }

  template <class Storage>
  static Register load_lanes(Register a, const Storage* from, int begin, int count) {
    return merged(a, load_partial(from, count), neon_indices(vsubq_s32(lane_numbers(), vdupq_n_s32(begin)), count));
  }
  template <class Storage>
  static void store_lanes(Storage* to, Register a, int begin, int count) {
    store_partial(to, merged(a, a, neon_indices(vaddq_s32(lane_numbers(), vdupq_n_s32(begin)), width)), count);
  }

  static void store(float* to, Register a) { vst1q_f32(to, a); }
  static void store(BFloat16* to, Register a) { store_16bit(to, narrow_bfloat16(a)); }
  static void store(Float16* to, Register a) { store_16bit(to, narrow_float16(a)); }

  static void store_partial(float* to, Register a, int count) {
    if (count > 0) vst1q_lane_f32(to, a, 0);
    if (count > 1) vst1q_lane_f32(to + 1, a, 1);
    if (count > 2) vst1q_lane_f32(to + 2, a, 2);
    if (count > 3) vst1q_lane_f32(to + 3, a, 3);
  }
  static void store_partial(BFloat16* to, Register a, int count) { store_16bit(to, narrow_bfloat16(a), count); }
  static void store_partial(Float16* to, Register a, int count) { store_16bit(to, narrow_float16(a), count); }

  static void load_quads(const float* const* from, ptrdiff_t offset, Register (&rows)[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) rows[i] = vld1q_f32(from[i] + offset);
    transpose(rows);
  }
  static void join_quads(const Register (&rows)[4], Register (&quads)[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) quads[i] = rows[i];
    transpose(quads);
  }

  static void transpose(Register (&rows)[width]) {
    const float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(rows[0], rows[1]));
    const float64x2_t odd01 = vreinterpretq_f64_f32(vtrn2q_f32(rows[0], rows[1]));
    const float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(rows[2], rows[3]));
    const float64x2_t odd23 = vreinterpretq_f64_f32(vtrn2q_f32(rows[2], rows[3]));
    rows[0] = vreinterpretq_f32_f64(vtrn1q_f64(even01, even23));
    rows[1] = vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23));
    rows[2] = vreinterpretq_f32_f64(vtrn2q_f64(even01, even23));
    rows[3] = vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23));
  }

 private:
  static int32x4_t lane_numbers() {
    alignas(16) static constexpr int32_t numbers[width] = {0, 1, 2, 3};
    return vld1q_s32(numbers);
  }

  template <class Storage>
  static uint16x4_t load_16bit(const Storage* from) {
    return vld1_u16(&from->bits);
  }
  template <class Storage>
  static uint16x4_t load_16bit(const Storage* from, int count) {
    uint16x4_t a = vdup_n_u16(0);
    if (count > 0) a = vld1_lane_u16(&from[0].bits, a, 0);
    if (count > 1) a = vld1_lane_u16(&from[1].bits, a, 1);
    if (count > 2) a = vld1_lane_u16(&from[2].bits, a, 2);
    if (count > 3) a = vld1_lane_u16(&from[3].bits, a, 3);
    return a;
  }
  template <class Storage>
  static void store_16bit(Storage* to, uint16x4_t a) {
    vst1_u16(&to->bits, a);
  }
  template <class Storage>
  static void store_16bit(Storage* to, uint16x4_t a, int count) {
    if (count > 0) vst1_lane_u16(&to[0].bits, a, 0);
    if (count > 1) vst1_lane_u16(&to[1].bits, a, 1);
    if (count > 2) vst1_lane_u16(&to[2].bits, a, 2);
    if (count > 3) vst1_lane_u16(&to[3].bits, a, 3);
  }

  static Register widen_bfloat16(uint16x4_t bits) { return vreinterpretq_f32_u32(vshll_n_u16(bits, 16)); }
  static uint16x4_t narrow_bfloat16(Register a) {
    const uint32x4_t bits = vreinterpretq_u32_f32(a);
    const uint32x4_t even = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(even, vdupq_n_u32(0x7fff)));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(a, a), rounded, vdupq_n_u32(0x7fc00000u)), 16);
  }
  static Register widen_float16(uint16x4_t bits) { return vcvt_f32_f16(vreinterpret_f16_u16(bits)); }
  static uint16x4_t narrow_float16(Register a) { return vreinterpret_u16_f16(vcvt_f16_f32(a)); }
};

struct NeonDouble {
  using Scalar = double;
  using Register = float64x2_t;
  static constexpr int width = 2;

  static Register zero() { return vdupq_n_f64(0.0); }
  static Register broadcast(double value) { return vdupq_n_f64(value); }
  static Register broadcast_two(const double* from) { return vld1q_f64(from); }
  static Register interleave_low(Register a, Register b) { return vzip1q_f64(a, b); }
  static Register interleave_high(Register a, Register b) { return vzip2q_f64(a, b); }
  static Register add_neighbours(Register a, Register b) { return vpaddq_f64(a, b); }
  static Register add(Register a, Register b) { return vaddq_f64(a, b); }
  static Register subtract(Register a, Register b) { return vsubq_f64(a, b); }
  static Register multiply(Register a, Register b) { return vmulq_f64(a, b); }
  static Register multiply_add(Register a, Register b, Register c) { return vfmaq_f64(c, a, b); }
  static Register multiply_subtract(Register a, Register b, Register c) { return vfmaq_f64(vnegq_f64(c), a, b); }
  static Register subtract_product(Register c, Register a, Register b) { return vfmsq_f64(c, a, b); }
  static Register divide(Register a, Register b) { return vdivq_f64(a, b); }
  static Register exponential(Register a) { return exponential_of_lanes<NeonDouble>(a); }
  static Register larger_magnitude(Register magnitude, Register a) {
    const Register other = vabsq_f64(a);
    return vbslq_f64(is_larger(other, magnitude), other, magnitude);
  }
  static Register smaller_magnitude(Register a, Register b) { return vbslq_f64(is_larger(a, b), b, a); }
  static double sum(Register a) { return vpaddd_f64(a); }

  static constexpr int max_merged_vectors = 4;
  using Merge = uint8x16_t;
  static Merge merge_of(int apart, int vector) {
    const int32x4_t at = vmlaq_n_s32(half_numbers(), lane_numbers(), 2 * apart);
    return neon_indices(vsubq_s32(at, vdupq_n_s32(2 * vector * width)), 2 * width);
  }
  static Register merged(Register a, Register vector, Merge merge) {
    return vreinterpretq_f64_u8(vqtbx1q_u8(vreinterpretq_u8_f64(a), vreinterpretq_u8_f64(vector), merge));
  }

  static Register load(const double* from) { return vld1q_f64(from); }
  static Register load_partial(const double* from, int count) {
    Register a = zero();
    if (count > 0) a = vld1q_lane_f64(from, a, 0);
    if (count > 1) a = vld1q_lane_f64(from + 1, a, 1);
    return a;
  }
  static Register load_some(const double* from, int begin, int count) { return load_lanes(zero(), from, begin, count); }
  static Register load_lanes(Register a, const double* from, int begin, int count) {
    if (begin == 0 && count > 0) a = vld1q_lane_f64(from, a, 0);
    if (begin + count == width && count > 0) a = vld1q_lane_f64(from + (1 - begin), a, 1);
    return a;
  }
  static void store_lanes(double* to, Register a, int begin, int count) {
    if (begin == 0 && count > 0) vst1q_lane_f64(to, a, 0);
    if (begin + count == width && count > 0) vst1q_lane_f64(to + (1 - begin), a, 1);
  }
  static void store(double* to, Register a) { vst1q_f64(to, a); }
  static void store_partial(double* to, Register a, int count) { store_lanes(to, a, 0, count); }

  static void transpose(Register (&rows)[width]) {
    const Register first = vzip1q_f64(rows[0], rows[1]);
    rows[1] = vzip2q_f64(rows[0], rows[1]);
    rows[0] = first;
  }

 private:
  // Magnitudes are compared by their bits.
  static uint64x2_t is_larger(Register a, Register b) {
    return vcgtq_s64(vreinterpretq_s64_f64(a), vreinterpretq_s64_f64(b));
  }
  // Table look-ups move the halves of a double.
  static int32x4_t lane_numbers() {
    alignas(16) static constexpr int32_t numbers[2 * width] = {0, 0, 1, 1};
    return vld1q_s32(numbers);
  }
  static int32x4_t half_numbers() {
    alignas(16) static constexpr int32_t numbers[2 * width] = {0, 1, 0, 1};
    return vld1q_s32(numbers);
  }
};

struct Neon {
  static constexpr int register_count = 32;
  template <class Scalar>
  struct VectorOf {
    using type = NeonFloat;
  };
};
template <>
struct Neon::VectorOf<double> {
  using type = NeonDouble;
};
static_assert(VectorSet<Neon>);

}  // namespace
}  // namespace tapconv::kernels
