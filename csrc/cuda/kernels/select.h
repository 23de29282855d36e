// This file finds the kernel that is instantiated for what a launch says at run time, in the same way for device and
// host.
#pragma once

#include "elements.h"
#include "launch.h"

namespace tapconv::cuda {

template <class T>
struct Type {
  using type = T;
};

// Calls visit(Type<Element>).
template <class Visit>
auto with_element(kernels::DataType data_type, const Visit& visit) {
  switch (data_type) {
    case kernels::DataType::float64:
      return visit(Type<double>{});
    case kernels::DataType::bfloat16:
      return visit(Type<BFloat16>{});
    case kernels::DataType::float16:
      return visit(Type<Float16>{});
    default:
      return visit(Type<float>{});
  }
}

// Calls visit(Type<Index>).
template <class Visit>
auto with_index(bool wide_index, const Visit& visit) {
  return wide_index ? visit(Type<int64_t>{}) : visit(Type<int32_t>{});
}

}  // namespace tapconv::cuda
