#include "cuda/kernels/grad_weight.h"

#include "launchers.h"
#include "cuda/kernels/select.h"
#include "start.cuh"

namespace tapconv::cuda {

const char* launch_grad_weight(const GradWeightLaunch& launch, const GradWeightArguments& arguments, void* stream) {
  return with_element(launch.problem.data_type, [&](auto element) {
    return with_index(launch.wide_index, [&](auto index) {
      using Element = typename decltype(element)::type;
      using Index = typename decltype(index)::type;
      return launch.out_per_thread > 1 ? start<GradWeight<Element, Index, 8>>(launch, arguments, stream)
                                       : start<GradWeight<Element, Index, 1>>(launch, arguments, stream);
    });
  });
}

}  // namespace tapconv::cuda
