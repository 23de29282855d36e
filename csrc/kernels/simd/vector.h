// What the kernels ask of vectors: they are written once, over a type that has these members, and each of the other
// headers here offers such types for one instruction set. The kernels find members that not every set can offer by the
// concepts named after them.
//
// A vector type has static members alone, so that its functions are copies of the instruction set's own
// (numbers/storage.h says why). Lanes are counted from 0; a `count` of lanes is at most the width, as is `begin` +
// `count`, and nothing is read or written beside the elements that are counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

// Numbers of the type Scalar move between memory and registers: what copying rows needs.
template <class V>
concept CopyingVector = requires(typename V::Register a, const typename V::Scalar* from, typename V::Scalar* to,
                                 int count, int begin, int apart, int vector) {
  requires V::width * sizeof(typename V::Scalar) == sizeof(typename V::Register);  // `width` lanes fill a register
  a = V::zero();
  a = V::load(from);                     // `width` consecutive elements, at any address
  a = V::load_partial(from, count);      // the first `count` lanes from as many elements, the others zero
  a = V::load_some(from, begin, count);  // lanes [begin, begin + count) from consecutive elements, the others zero
  V::store(to, a);
  V::store_partial(to, a, count);
  // Of every `apart`-th element of consecutive vectors, `merged` puts those that lie in the vector of the number
  // `vector` into the lanes of `a` that they belong to. At most `max_merged_vectors` are worth it.
  requires V::max_merged_vectors >= 1;
  typename V::Merge;
  a = V::merged(a, a, V::merge_of(apart, vector));
};

// Numbers stored as Storage are widened on their way in and rounded on their way out, as numbers/storage.h does.
template <class V, class Storage>
concept ConvertingVector = requires(typename V::Register a, const Storage* from, Storage* to, int count, int begin) {
  a = V::load(from);
  a = V::load_partial(from, count);
  a = V::load_some(from, begin, count);
  V::store(to, a);
  V::store_partial(to, a, count);
  V::store_lanes(to, a, begin, count);  // lanes [begin, begin + count) to consecutive elements
};

// `width` rows of a square of registers become its columns.
template <class V>
concept TransposingVector = requires(typename V::Register (&rows)[V::width]) { V::transpose(rows); };

// The arithmetic. Each function rounds as its scalar counterpart does, but products that are added may be rounded or
// not, the same for all lanes.
template <class V>
concept ArithmeticVector =
    CopyingVector<V> && TransposingVector<V> && ConvertingVector<V, typename V::Scalar> &&
    requires(typename V::Register a, typename V::Scalar number, const typename V::Scalar* from, int begin, int count) {
      a = V::broadcast(number);
      a = V::broadcast_two(from);                                       // two elements, over and over
      requires V::width < 4 || requires { V::broadcast_four(from); };   // four, where a vector has as many lanes
      requires V::width < 8 || requires { V::broadcast_eight(from); };  // eight, likewise
      a = V::interleave_low(a, a);               // lanes of both in turn: the first vector of two
      a = V::interleave_high(a, a);              // and the second
      a = V::add_neighbours(a, a);               // sums of neighbouring lanes, those of the first vector first
      a = V::load_lanes(a, from, begin, count);  // lanes [begin, begin + count) from elements, the others as in `a`
      a = V::add(a, a);
      a = V::subtract(a, a);
      a = V::multiply(a, a);
      a = V::multiply_add(a, a, a);       // first * second + third
      a = V::multiply_subtract(a, a, a);  // first * second - third
      a = V::subtract_product(a, a, a);   // first - second * third
      a = V::larger_magnitude(a, a);   // of a magnitude and the second's; by their bits, so that a NaN is the largest
      a = V::smaller_magnitude(a, a);  // of two magnitudes, likewise
      number = V::sum(a);              // of all lanes: halves of the vector are added to halves, down to one lane
    };

// Optional: `shifted` cuts a vector out of two neighbours, from lane `count` of the first on, with a count that may
// change from step to step. Only where that takes less than a load across cache lines.
template <class V>
concept ShiftingVector = requires(typename V::Register a, int count) { a = V::shifted(a, a, V::shift_of(count)); };

// Optional: the same with a count known to the compiler.
template <class V>
concept FixedShiftingVector = requires(typename V::Register a) { a = V::template shifted_by<1>(a, a); };

// Optional: four consecutive elements for each lane: rows[i], lane l, is from[l][offset + i]. And the way back, to
// 4 * width consecutive elements.
template <class V>
concept QuadVector = requires(const typename V::Scalar* const* from, ptrdiff_t offset, typename V::Register (&rows)[4],
                              typename V::Register (&quads)[4]) {
  V::load_quads(from, offset, rows);
  V::join_quads(rows, quads);
};

// Optional: each 32-bit lane holds two bfloat16 numbers, and `multiply_add` adds both products. `pair` makes such lanes
// of two widened numbers.
template <class V>
concept PairingVector = requires(typename V::Register a) { a = V::pair(a, a); };

// The vectors of an instruction set: of float32, which 16-bit numbers are widened to, and of float64.
template <class Isa>
concept VectorSet = Isa::register_count >= 16 &&  // vector registers, which instruction_sets/register_tiles.h divides
                    ArithmeticVector<typename Isa::template VectorOf<float>::type> &&
                    ConvertingVector<typename Isa::template VectorOf<float>::type, BFloat16> &&
                    ConvertingVector<typename Isa::template VectorOf<float>::type, Float16> &&
                    ArithmeticVector<typename Isa::template VectorOf<double>::type>;

// Vectors of bfloat16 numbers as they are stored, which prepare the operands of matrix products. Squares of 16 by 16
// lanes of 32 bits are transposed, a lane being a pair.
template <class V>
concept HalfWordVector =
    CopyingVector<V> && requires(uint32_t* lanes, const BFloat16* from, const BFloat16* const (&rows)[16],
                                 BFloat16* const* to, int count, int channels, ptrdiff_t distance) {
      V::store_pairs(lanes, from, from);                        // 16 lanes, each of an element of both
      V::transpose_lanes(rows, count, lanes, distance);         // `count` pairs of each row go to as many rows
      V::transpose_pairs(from, distance, channels, count, to);  // `count` elements of each of `channels` rows, likewise
    };

// Products of bfloat16 matrices: eight registers, each a tile of up to 16 rows of 64 bytes; 0 to 3 hold sums, 4 and 5
// weights, 6 and 7 samples.
template <class Tiles>
concept MatrixTiles = requires(int rows, int depth, const void* from, void* to, ptrdiff_t row_bytes) {
  Tiles::configure(rows, depth);  // gives the registers their shapes: `rows` output channels, `depth` pairs, at most 16
  Tiles::release();               // ends their use
  Tiles::template zero<0>();
  Tiles::template load<4>(from, row_bytes);
  Tiles::template store<0>(to, row_bytes);
  Tiles::template multiply_add<0, 4, 6>();  // adds the products of weights and samples to sums
};

}  // namespace
}  // namespace tapconv::kernels
