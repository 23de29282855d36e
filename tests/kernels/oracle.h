// The definition of a 1-D convolution and its two derivatives, summed term by term in double precision, with what the
// roundings lose added up apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

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

// Which input sample stands at `position`, counted from the first sample and possibly outside; -1 for a padded zero.
int64_t source_of_position(const Problem& problem, int64_t position);

// Calls visit(n, o, c, channel, k, t, i) for every product weight[o, c, k] * input[n, channel, i] in output[n, o, t].
template <typename Visit>
void for_each_product(const Problem& problem, Visit visit) {
  const int64_t in_per_group = problem.in_channels / problem.groups;
  const int64_t out_per_group = problem.out_channels / problem.groups;
  for (int64_t n = 0; n < problem.batch; ++n) {
    for (int64_t o = 0; o < problem.out_channels; ++o) {
      const int64_t first_channel = o / out_per_group * in_per_group;
      for (int64_t c = 0; c < in_per_group; ++c) {
        for (int64_t t = 0; t < problem.output_length; ++t) {
          for (int64_t k = 0; k < problem.kernel_size; ++k) {
            const int64_t position = t * problem.stride + k * problem.dilation - problem.padding_left;
            const int64_t i = source_of_position(problem, position);
            if (i >= 0) visit(n, o, c, first_channel + c, k, t, i);
          }
        }
      }
    }
  }
}

struct Sums {
  Tensor value;
  Tensor magnitude;  // the same sums over absolute values, which rounding errors are measured by
};

Sums oracle(Direction direction, const Problem& problem, const Arguments& arguments);

}  // namespace tapconv::kernels::test
