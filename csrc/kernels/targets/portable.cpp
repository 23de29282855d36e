// All algorithms are instantiated here for simd/portable.h.
#include "../simd/portable.h"

#include "kernel_table_of.h"

namespace tapconv::kernels {

const KernelTable* portable_kernels() { return &kernel_table_of<Portable>; }

}  // namespace tapconv::kernels
