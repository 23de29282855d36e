#include "cuda/kernels/direct.h"

#include "launchers.h"
#include "cuda/kernels/select.h"
#include "start.cuh"

namespace tapconv::cuda {

const char* launch_direct(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream) {
  return with_element(launch.problem.data_type, [&](auto element) {
    return with_index(launch.wide_index, [&](auto index) {
      using Element = typename decltype(element)::type;
      using Index = typename decltype(index)::type;
      return launch.out_per_thread > 2 ? start<Direct<Element, Index, 8>>(launch, arguments, stream)
                                       : start<Direct<Element, Index, 2>>(launch, arguments, stream);
    });
  });
}

}  // namespace tapconv::cuda
