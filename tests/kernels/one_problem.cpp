#include "one_problem.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

namespace tapconv::kernels::test {
namespace {

int number_in_environment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

int64_t span_of_taps(const Problem& problem) { return problem.dilation * (problem.kernel_size - 1) + 1; }

}  // namespace

void append_if_possible(std::vector<Problem>& problems, const Problem& problem) {
  const Problem complete = with_contiguous_strides(problem);
  if (is_possible(complete)) problems.push_back(complete);
}

Problem plain_problem() {
  Problem problem{};
  problem.data_type = DataType::float32;
  problem.padding_mode = PaddingMode::zeros;
  problem.algorithm = AlgorithmRequest::direct;
  problem.batch = 2;
  problem.in_channels = 3;
  problem.input_length = 20;
  problem.out_channels = 5;
  problem.kernel_size = 3;
  problem.stride = 1;
  problem.padding_left = 1;
  problem.padding_right = 1;
  problem.dilation = 1;
  problem.groups = 1;
  return with_contiguous_strides(problem);
}

Problem with_contiguous_strides(Problem problem) {
  const int64_t room = problem.input_length + problem.padding_left + problem.padding_right - span_of_taps(problem);
  problem.output_length = room < 0 ? 0 : room / problem.stride + 1;
  const auto contiguous = [](int64_t channels, int64_t length) {
    return ActivationStrides{channels * length, length, 1};
  };
  problem.input_strides = contiguous(problem.in_channels, problem.input_length);
  problem.output_strides = contiguous(problem.out_channels, problem.output_length);
  const int64_t in_per_group = problem.in_channels / problem.groups;
  problem.weight_strides = {in_per_group * problem.kernel_size, problem.kernel_size, 1};
  return problem;
}

Problem with_output_length(Problem problem, int64_t output_length) {
  problem.input_length =
      (output_length - 1) * problem.stride + span_of_taps(problem) - problem.padding_left - problem.padding_right;
  return with_contiguous_strides(problem);
}

bool is_possible(const Problem& problem) {
  const int64_t length = problem.input_length;
  const int64_t longest_padding = std::max(problem.padding_left, problem.padding_right);
  if (length < 1 || length + problem.padding_left + problem.padding_right < span_of_taps(problem)) return false;
  if (problem.padding_mode == PaddingMode::reflect) return longest_padding < length;
  if (problem.padding_mode == PaddingMode::circular) return longest_padding <= length;
  return true;
}

int one_in() { return std::max(number_in_environment("TAPCONV_TEST_ONE_IN", 1), 1); }

bool reaches(int64_t count, int64_t least) { return one_in() > 1 || count > least; }

std::vector<Problem> share_of(const std::vector<Problem>& problems, const char* list) {
  static std::map<std::string, int> calls;
  // GoogleTest hands out its tests to shards in turn.
  const int start =
      calls[list]++ * number_in_environment("GTEST_TOTAL_SHARDS", 1) + number_in_environment("GTEST_SHARD_INDEX", 0);
  const size_t step = static_cast<size_t>(one_in());
  std::vector<Problem> share;
  for (size_t i = static_cast<size_t>(start) % step; i < problems.size(); i += step) share.push_back(problems[i]);
  return share;
}

std::string describe(const Problem& problem) {
  std::ostringstream text;
  text << "input (" << problem.batch << ", " << problem.in_channels << ", " << problem.input_length << ") strides ("
       << problem.input_strides.batch << ", " << problem.input_strides.channel << ", " << problem.input_strides.time
       << "), weight (" << problem.out_channels << ", " << problem.in_channels / problem.groups << ", "
       << problem.kernel_size << ") strides (" << problem.weight_strides.out_channel << ", "
       << problem.weight_strides.in_channel << ", " << problem.weight_strides.tap << "), output length "
       << problem.output_length << " strides (" << problem.output_strides.batch << ", "
       << problem.output_strides.channel << ", " << problem.output_strides.time << "), stride " << problem.stride
       << ", padding (" << problem.padding_left << ", " << problem.padding_right << ") "
       << name_of(problem.padding_mode) << ", dilation " << problem.dilation << ", groups " << problem.groups;
  return text.str();
}

}  // namespace tapconv::kernels::test
