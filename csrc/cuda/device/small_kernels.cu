#include "cuda/kernels/small_kernels.h"

#include "launchers.h"
#include "cuda/kernels/select.h"
#include "start.cuh"

namespace tapconv::cuda {

const char* launch_fill(const FillLaunch& launch, const FillArguments& arguments, void* stream) {
  return with_element(launch.data_type, [&](auto element) {
    using Element = typename decltype(element)::type;
    return launch.wide ? start<Fill<Element, true>>(launch, arguments, stream)
                       : start<Fill<Element, false>>(launch, arguments, stream);
  });
}

const char* launch_sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments, void* stream) {
  return with_element(launch.data_type, [&](auto element) {
    return start<SumParts<typename decltype(element)::type>>(launch, arguments, stream);
  });
}

}  // namespace tapconv::cuda
