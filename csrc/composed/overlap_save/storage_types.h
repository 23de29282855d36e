// The types of elements as torch has them, and the types that they are summed in.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <type_traits>

namespace tapconv::composed {

template <class Storage>
using ComputeTypeOf = std::conditional_t<std::is_same_v<Storage, double>, double, float>;

// Calls body with a number of the tensor's type, which is float, double, bfloat16 or float16.
template <class Body>
auto with_storage_of(const at::Tensor& tensor, const Body& body) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return body(double{});
    case at::kBFloat16:
      return body(at::BFloat16{});
    case at::kHalf:
      return body(at::Half{});
    default:
      return body(float{});
  }
}

}  // namespace tapconv::composed
