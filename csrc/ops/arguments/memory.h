// Do tensors have the memory that their sizes claim? A storage may have been freed or cut, as FSDP does with parameters
// between their uses, and a damaged file may claim that there is none. The kernels get pointers, so this is asked
// first.
#pragma once

#include <ATen/core/Tensor.h>

namespace tapconv::ops {

// Raises RuntimeError, naming the tensor, if an element would lie outside of its storage. For dense tensors on the CPU;
// an undefined tensor has no elements.
void require_memory(const at::Tensor& tensor, const char* name);

}  // namespace tapconv::ops
