// The definition of a 1-D convolution and its two derivatives, summed term by term in double precision, with what the
// roundings lose added up apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

enum class Direction { forward, grad_input, grad_weight };

const char* name_of(Direction direction);

// What one tensor holds, in the memory order of its strides. Elements that no index reaches are gaps.
struct Tensor {
  std::array<int64_t, 3> sizes;
  std::array<int64_t, 3> strides;
  std::vector<double> storage;

  int64_t offset(int64_t i, int64_t j, int64_t k) const { return i * strides[0] + j * strides[1] + k * strides[2]; }
  double& at(int64_t i, int64_t j, int64_t k) { return storage[static_cast<size_t>(offset(i, j, k))]; }
  double at(int64_t i, int64_t j, int64_t k) const { return storage[static_cast<size_t>(offset(i, j, k))]; }
};

// Tensors of the problem's shapes and strides, full of NaN.
Tensor empty_input(const Problem& problem);
Tensor empty_weight(const Problem& problem);
Tensor empty_output(const Problem& problem);
Tensor empty_result(const Problem& problem, Direction direction);

// True for every element of storage that some index reaches.
std::vector<bool> reached_elements(const Tensor& tensor);

// The arguments of all directions: `output` is the grad_output of the two derivatives. `bias` may be empty.
struct Arguments {
  Tensor input;
  Tensor weight;
  Tensor output;
  std::vector<double> bias;
};

struct Sums {
  Tensor value;
  Tensor magnitude;  // the same sums over absolute values, which rounding errors are measured by
};

Sums oracle(Direction direction, const Problem& problem, const Arguments& arguments);

}  // namespace tapconv::kernels::test
