#include "cuda/kernels/matrix.h"

#include "device_fragments.cuh"
#include "launchers.h"
#include "cuda/kernels/select.h"
#include "start.cuh"

namespace tapconv::cuda {
namespace {

template <class Element>
const char* start_matrix(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream) {
  return with_index(launch.wide_index, [&](auto index) {
    return start<Matrix<Element, typename decltype(index)::type, DeviceFragments>>(launch, arguments, stream);
  });
}

}  // namespace

const char* launch_matrix(const ForwardLaunch& launch, const ForwardArguments& arguments, void* stream) {
  switch (launch.problem.data_type) {
    case kernels::DataType::float16:
      return start_matrix<Float16>(launch, arguments, stream);
    case kernels::DataType::bfloat16:
      return start_matrix<BFloat16>(launch, arguments, stream);
    default:
      return start_matrix<float>(launch, arguments, stream);
  }
}

}  // namespace tapconv::cuda
