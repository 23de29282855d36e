// Problems of depthwise filters.
#include "cases.h"

namespace tapconv::kernels::test {

std::vector<Problem> short_depthwise_filters() {
  std::vector<Problem> problems;
  for (int64_t kernel_size = 1; kernel_size <= 9; ++kernel_size) {
    for (const int64_t dilation : {1, 3, 40}) {
      for (const int64_t length : {1, 15, 17, 64, 150, 6000}) {
        for (const PaddingMode mode : all_modes) {
          Problem problem = plain_problem();
          problem.in_channels = problem.out_channels = problem.groups = 3;
          problem.kernel_size = kernel_size;
          problem.dilation = dilation;
          problem.padding_mode = mode;
          problem.padding_left = (kernel_size - 1) * dilation;
          problem.padding_right = kernel_size % 3;
          problem.input_length = length;
          append_if_possible(problems, problem);
        }
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> long_depthwise_filters() {
  std::vector<Problem> problems;
  for (const int64_t kernel_size : {15, 16, 17, 31, 33, 64, 65, 100, 257, 300}) {
    for (const int64_t length : {1, 40, 333}) {
      for (const int64_t channels : {1, 3, 16, 19}) {
        for (const PaddingMode mode : {PaddingMode::zeros, PaddingMode::replicate}) {
          Problem problem = plain_problem();
          problem.in_channels = problem.groups = channels;
          problem.out_channels = channels * (1 + kernel_size % 2);
          problem.kernel_size = kernel_size;
          problem.dilation = 1 + length % 3 * (kernel_size % 3);
          problem.padding_mode = mode;
          problem.padding_left = (kernel_size - 1) * problem.dilation;
          problem.padding_right = kernel_size % 5;
          problem.input_length = length;
          problems.push_back(with_contiguous_strides(problem));
        }
      }
    }
  }
  // Whole vectors of filters for one row, and vectors that two rows share.
  for (const int64_t kernel_size : {17, 65, 250}) {
    for (const int64_t length : {1, 90, 1500}) {
      for (const int64_t out_channels : {5, 16, 40}) {
        Problem problem = plain_problem();
        problem.groups = problem.in_channels = 1 + kernel_size % 2;
        problem.out_channels = problem.groups * out_channels;
        problem.kernel_size = kernel_size;
        problem.dilation = 1 + length % 2 * (kernel_size % 2);
        problem.padding_mode = all_modes[static_cast<size_t>(out_channels + length) % 4];
        problem.padding_left = kernel_size * problem.dilation;
        problem.padding_right = kernel_size / 2;
        problem.input_length = length;
        append_if_possible(problems, problem);
      }
    }
  }
  return share_of(problems);
}

}  // namespace tapconv::kernels::test
