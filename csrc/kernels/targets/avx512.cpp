// All algorithms are instantiated here for simd/avx512.h.
#include "../simd/avx512.h"

#include "kernel_table_of.h"

namespace tapconv::kernels {

const KernelTable* avx512_kernels() { return &kernel_table_of<Avx512>; }

}  // namespace tapconv::kernels
