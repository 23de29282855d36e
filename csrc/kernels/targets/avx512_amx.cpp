// This set adds products of bfloat16 matrices to AVX-512, for the direct sum of bfloat16.
#include "../simd/amx.h"

#include "../simd/avx512.h"
#include "../simd/avx512_half_words.h"
#include "kernels/algorithms/matrix/matrix_sum.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

const KernelTable* avx512_kernels();

namespace {

struct AmxMatrix {
  using Tiles = AmxTiles;
  using HalfWords = Avx512HalfWords;
};

}  // namespace

const KernelTable* avx512_amx_kernels() {
  static const KernelTable table = [] {
    KernelTable extended = *avx512_kernels();
    extended.bfloat16_matrices = matrix_kernels<Avx512, AmxMatrix>();
    return extended;
  }();
  return &table;
}

}  // namespace tapconv::kernels
