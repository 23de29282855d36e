// This set adds products of bfloat16 pairs to AVX-512, for the direct sum of bfloat16.
#include "../simd/avx512_bf16.h"

#include "kernels/algorithms/direct/direct.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {

const KernelTable* avx512_kernels();

const KernelTable* avx512_bf16_kernels() {
  static const KernelTable table = [] {
    KernelTable extended = *avx512_kernels();
    extended.bfloat16_pairs = direct_kernels_of<Avx512, BFloat16, Avx512BFloat16Pairs>();
    return extended;
  }();
  return &table;
}

}  // namespace tapconv::kernels
