// All algorithms are instantiated here for simd/avx2.h.
#include "../simd/avx2.h"

#include "kernel_table_of.h"

namespace tapconv::kernels {

const KernelTable* avx2_kernels() { return &kernel_table_of<Avx2>; }

}  // namespace tapconv::kernels
