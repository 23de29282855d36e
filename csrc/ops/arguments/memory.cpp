#include "ops/arguments/memory.h"

namespace tapconv::ops {

void require_memory(const at::Tensor& tensor, const char* name) {
  if (!tensor.defined()) return;
  int64_t last = tensor.storage_offset();
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    if (tensor.size(i) == 0) return;
    last += (tensor.size(i) - 1) * tensor.stride(i);
  }
  const size_t wanted = static_cast<size_t>(last + 1) * tensor.itemsize();
  TORCH_CHECK(tensor.storage().nbytes() >= wanted && tensor.storage().data() != nullptr, "expected ", name,
              " to have the memory that its size ", tensor.sizes(), ", strides ", tensor.strides(),
              " and storage offset ", tensor.storage_offset(), " require, ", wanted, " bytes, but its storage has ",
              tensor.storage().nbytes(), ". It was freed or cut, or read from a damaged file.");
}

}  // namespace tapconv::ops
