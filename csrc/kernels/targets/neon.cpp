// All algorithms are instantiated here for simd/neon.h.
#include "../simd/neon.h"

#include "kernel_table_of.h"

namespace tapconv::kernels {

const KernelTable* neon_kernels() { return &kernel_table_of<Neon>; }

}  // namespace tapconv::kernels
