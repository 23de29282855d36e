// This is what the kernels ask of vectors. They are written once, over a type that has these members, and each of the
// other headers here offers such types for one instruction set. The kernels find members that not every set can offer
// by the concepts named after them.
//
// A vector type has static members alone, so that its functions are copies of the instruction set's own
// (numbers/storage.h says why). Lanes are counted from 0. A `count` of lanes is at most the width, as is `begin` +
// `count`, and nothing is read or written beside the elements that are counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

// A copyable vector moves numbers of the type Scalar between memory and registers, which is what copying rows needs.
template <class Vector>
concept CopyingVector = requires(typename Vector::Register a, const typename Vector::Scalar* from,
                                 typename Vector::Scalar* to, int count, int begin, int apart, int vector) {
  // `width` lanes fill a register.
  requires Vector::width * sizeof(typename Vector::Scalar) == sizeof(typename Vector::Register);
  a = Vector::zero();
  a = Vector::load(from);                     // `width` consecutive elements, at any address
  a = Vector::load_partial(from, count);      // the first `count` lanes from as many elements, the others zero
  a = Vector::load_some(from, begin, count);  // lanes [begin, begin + count) from consecutive elements, the others zero
  Vector::store(to, a);
  Vector::store_partial(to, a, count);
  // Of every `apart`-th element of consecutive vectors, `merged` puts those that lie in the vector of the number
  // `vector` into the lanes of `a` that they belong to. At most `max_merged_vectors` are worth it.
  requires Vector::max_merged_vectors >= 1;
  typename Vector::Merge;
  a = Vector::merged(a, a, Vector::merge_of(apart, vector));
};

// Numbers stored as Storage are widened on their way in and rounded on their way out, as numbers/storage.h does.
template <class Vector, class Storage>
concept ConvertingVector =
    requires(typename Vector::Register a, const Storage* from, Storage* to, int count, int begin) {
      a = Vector::load(from);
      a = Vector::load_partial(from, count);
      a = Vector::load_some(from, begin, count);
      Vector::store(to, a);
      Vector::store_partial(to, a, count);
      Vector::store_lanes(to, a, begin, count);  // lanes [begin, begin + count) to consecutive elements
    };

// `width` rows of a square of registers become its columns.
template <class Vector>
concept TransposingVector = requires(typename Vector::Register (&rows)[Vector::width]) { Vector::transpose(rows); };

// This is the arithmetic. Each function rounds as its scalar counterpart does, except that a product which is added may
// be rounded or not, the same for all lanes.
template <class Vector>
concept ArithmeticVector =
    CopyingVector<Vector> && TransposingVector<Vector> && ConvertingVector<Vector, typename Vector::Scalar> &&
    requires(typename Vector::Register a, typename Vector::Scalar number, const typename Vector::Scalar* from,
             int begin, int count) {
      a = Vector::broadcast(number);
      // These repeat two elements over all lanes; four and eight, where a vector has as many lanes.
      a = Vector::broadcast_two(from);
      requires Vector::width < 4 || requires { Vector::broadcast_four(from); };
      requires Vector::width < 8 || requires { Vector::broadcast_eight(from); };
      a = Vector::interleave_low(a, a);               // lanes of both in turn: the first vector of two
      a = Vector::interleave_high(a, a);              // and the second
      a = Vector::add_neighbours(a, a);               // sums of neighbouring lanes, those of the first vector first
      a = Vector::load_lanes(a, from, begin, count);  // as load_some, but the other lanes as in `a`
      a = Vector::add(a, a);
      a = Vector::subtract(a, a);
      a = Vector::multiply(a, a);
      a = Vector::multiply_add(a, a, a);       // first * second + third
      a = Vector::multiply_subtract(a, a, a);  // first * second - third
      a = Vector::subtract_product(a, a, a);   // first - second * third
      // The first compares a magnitude with any number's, the second compares two magnitudes. Both go by the bits, so
      // that a NaN is the largest.
      a = Vector::larger_magnitude(a, a);
      a = Vector::smaller_magnitude(a, a);
      number = Vector::sum(a);  // of all lanes: halves of the vector are added to halves, down to one lane
    };

// What activations need beside it. `exponential` is right to four units in the last place, and overflows and vanishes
// as std::exp does; the same number gives the same bits in every lane.
template <class Vector>
concept ActivatingVector = requires(typename Vector::Register a) {
  a = Vector::divide(a, a);
  a = Vector::exponential(a);
};

// Optional: `shifted` cuts a vector out of two neighbours, from lane `count` of the first on, with a count that may
// change from step to step. A set offers it only where that takes less than a load across cache lines.
template <class Vector>
concept ShiftingVector =
    requires(typename Vector::Register a, int count) { a = Vector::shifted(a, a, Vector::shift_of(count)); };

// Optional: a vector is cut out in the same way by a count that the compiler knows.
template <class Vector>
concept FixedShiftingVector = requires(typename Vector::Register a) { a = Vector::template shifted_by<1>(a, a); };

// Optional: four consecutive elements are loaded for each lane, so that rows[i], lane l, is from[l][offset + i]. The
// way back writes them to 4 * width consecutive elements.
template <class Vector>
concept QuadVector = requires(const typename Vector::Scalar* const* from, ptrdiff_t offset,
                              typename Vector::Register (&rows)[4], typename Vector::Register (&quads)[4]) {
  Vector::load_quads(from, offset, rows);
  Vector::join_quads(rows, quads);
};

// Optional: each 32-bit lane holds two bfloat16 numbers, and `multiply_add` adds both products. `pair` makes such lanes
// of two widened numbers.
template <class Vector>
concept PairingVector = requires(typename Vector::Register a) { a = Vector::pair(a, a); };

// An instruction set has vectors of float32, which 16-bit numbers are widened to, and of float64.
template <class Isa>
concept VectorSet = Isa::register_count >= 16 &&  // vector registers, which instruction_sets/register_tiles.h divides
                    ArithmeticVector<typename Isa::template VectorOf<float>::type> &&
                    ConvertingVector<typename Isa::template VectorOf<float>::type, BFloat16> &&
                    ConvertingVector<typename Isa::template VectorOf<float>::type, Float16> &&
                    ArithmeticVector<typename Isa::template VectorOf<double>::type> &&
                    ActivatingVector<typename Isa::template VectorOf<float>::type> &&
                    ActivatingVector<typename Isa::template VectorOf<double>::type>;

// Vectors of bfloat16 numbers as they are stored prepare the operands of matrix products. Squares of 16 by 16 lanes of
// 32 bits are transposed, where a lane is a pair.
template <class Vector>
concept HalfWordVector =
    CopyingVector<Vector> && requires(uint32_t* lanes, const BFloat16* from, const BFloat16* const (&rows)[16],
                                      BFloat16* const* to, int count, int channels, ptrdiff_t distance) {
      Vector::store_pairs(lanes, from, from);                 // 16 lanes, each of an element of both
      Vector::transpose_lanes(rows, count, lanes, distance);  // `count` pairs of each row go to as many rows
      // Likewise, `count` elements of each of `channels` rows are transposed.
      Vector::transpose_pairs(from, distance, channels, count, to);
    };

// Products of bfloat16 matrices use eight registers, each a tile of up to 16 rows of 64 bytes. Registers 0 to 3 hold
// sums, 4 and 5 weights, 6 and 7 samples.
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
