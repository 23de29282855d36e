// Problems whose stride is what matters.
#include <algorithm>

#include "cases.h"

namespace tapconv::kernels::test {

std::vector<Problem> single_taps() {
  std::vector<Problem> problems;
  for (const int64_t kernel_size : {1, 2, 4, 5}) {
    for (const int64_t spare : {0, 1}) {
      for (const int64_t outputs : {3, 9, 40, 170}) {
        Problem problem = plain_problem();
        problem.batch = 1 + outputs % 3;
        problem.groups = 1 + (kernel_size + outputs) % 2;
        problem.in_channels = problem.groups * (3 + 4 * kernel_size);
        problem.out_channels = problem.groups * (9 + outputs % 7);
        problem.kernel_size = kernel_size;
        problem.stride = kernel_size + spare;
        problem.padding_left = kernel_size / 2;
        problems.push_back(with_output_length(problem, outputs));
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> long_strides() {
  std::vector<Problem> problems;
  for (const int64_t stride : {9, 17, 20, 33}) {
    for (const int64_t kernel_size : {8, 18, 35, 70}) {
      for (const int64_t outputs : {1, 2, 16, 17, 50}) {
        for (const PaddingMode mode : all_modes) {
          Problem problem = plain_problem();
          problem.batch = 1;
          problem.in_channels = 2;
          problem.out_channels = 3;
          problem.kernel_size = kernel_size;
          problem.stride = stride;
          problem.dilation = 1 + outputs % 5 / 2;
          problem.padding_mode = mode;
          problem.padding_left = outputs % 2 * (stride + kernel_size) / 2;
          problem.padding_right = outputs % 3 * stride;
          problem.input_length =
              (kernel_size - 1) * problem.dilation + 1 + (outputs - 1) * stride - problem.padding_left;
          append_if_possible(problems, problem);
        }
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> strided_samples() {
  std::vector<Problem> problems;
  for (const int64_t batch : {2, 9, 40}) {
    for (const int64_t outputs : {1, 2, 3, 8, 15, 16, 17}) {
      for (const int64_t kernel_size : {2, 3, 9}) {
        Problem problem = plain_problem();
        problem.batch = batch;
        problem.groups = 1 + outputs % 2;
        problem.in_channels = problem.groups * (3 + batch % 4);
        problem.out_channels = problem.groups * (2 + outputs % 5);
        problem.kernel_size = kernel_size;
        problem.stride = 2 + outputs % 2;
        problem.dilation = 1 + batch % 2;
        problem.padding_mode = all_modes[static_cast<size_t>(outputs + kernel_size) % all_modes.size()];
        problem.padding_left = kernel_size / 2;
        problem.padding_right = kernel_size - 1 - kernel_size / 2;
        problem.input_length = (outputs - 1) * problem.stride + (kernel_size - 1) * (problem.dilation - 1) + 1;
        append_if_possible(problems, problem);
      }
    }
  }
  return share_of(problems);
}

}  // namespace tapconv::kernels::test
