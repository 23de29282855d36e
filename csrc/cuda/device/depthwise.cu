#include "cuda/kernels/depthwise.h"

#include "launchers.h"
#include "cuda/kernels/select.h"
#include "start.cuh"

namespace tapconv::cuda {

const char* launch_depthwise(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream) {
  return with_element(launch.problem.data_type, [&](auto element) {
    return with_index(launch.wide_index, [&](auto index) {
      return start<Depthwise<typename decltype(element)::type, typename decltype(index)::type>>(launch, arguments,
                                                                                                stream);
    });
  });
}

}  // namespace tapconv::cuda
