// The exponential of a vector, for sets without a library of vector functions: lane by lane, by the C library.
//
// Where the C library has them (glibc's libmvec on x86-64; CMake looks for it), the vectors of AVX call its vector
// functions, whose results are within four units in the last place.
#pragma once

namespace tapconv::kernels {
namespace {

template <class Vector>
typename Vector::Register exponential_of_lanes(typename Vector::Register a) {
  typename Vector::Scalar lanes[Vector::width];
  Vector::store(lanes, a);
  for (auto& lane : lanes) {
    // The builtins call C functions; those of <cmath> are inline, and a linker may keep a copy made for another set.
    if constexpr (sizeof(lane) == sizeof(double)) {
      lane = __builtin_exp(lane);
    } else {
      lane = __builtin_expf(lane);
    }
  }
  return Vector::load(lanes);
}

}  // namespace
}  // namespace tapconv::kernels
