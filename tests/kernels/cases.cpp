#include "cases.h"

#include <algorithm>
#include <random>
#include <utility>

namespace tapconv::kernels::test {

std::vector<Problem> time_and_out_channel_tails() {
  std::vector<Problem> problems;
  Problem problem = plain_problem();
  problem.batch = 1;
  for (int64_t output_length = 1; output_length <= 67; ++output_length) {
    for (problem.out_channels = 1; problem.out_channels <= 17; ++problem.out_channels) {
      problems.push_back(with_output_length(problem, output_length));
    }
  }
  return share_of(problems);
}

std::vector<Problem> in_channel_and_kernel_sizes() {
  std::vector<Problem> problems;
  Problem problem = plain_problem();
  problem.batch = 1;
  for (const int64_t in_channels : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 65}) {
    for (const int64_t kernel_size : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 17, 31, 65}) {
      problem.in_channels = in_channels;
      problem.kernel_size = kernel_size;
      problem.padding_left = kernel_size / 2;
      problem.padding_right = (kernel_size - 1) / 2;
      append_if_possible(problems, problem);
    }
  }
  return share_of(problems);
}

std::vector<Problem> geometries() {
  constexpr std::array<std::pair<int64_t, int64_t>, 5> paddings{{{0, 0}, {1, 1}, {3, 0}, {0, 2}, {4, 7}}};
  std::vector<Problem> problems;
  Problem problem = plain_problem();
  problem.out_channels = 4;
  for (const PaddingMode mode : all_modes) {
    for (const auto& [left, right] : paddings) {
      for (const int64_t stride : {1, 2, 3, 4, 5, 8}) {
        for (const int64_t dilation : {1, 2, 3, 4, 9}) {
          for (const int64_t kernel_size : {1, 2, 3, 5, 8}) {
            for (const int64_t input_length : {1, 8, 39}) {
              problem.padding_mode = mode;
              problem.padding_left = left;
              problem.padding_right = right;
              problem.stride = stride;
              problem.dilation = dilation;
              problem.kernel_size = kernel_size;
              problem.input_length = input_length;
              append_if_possible(problems, problem);
            }
          }
        }
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> groups() {
  constexpr std::array<std::pair<int64_t, int64_t>, 7> channels_per_group{
      {{1, 1}, {1, 2}, {1, 5}, {2, 1}, {2, 3}, {5, 9}, {17, 8}}};
  std::vector<Problem> problems;
  Problem problem = plain_problem();
  for (const int64_t group_count : {1, 2, 3, 8, 17}) {
    for (const auto& [in_per_group, out_per_group] : channels_per_group) {
      for (const int64_t kernel_size : {1, 3, 4, 31}) {
        for (const int64_t stride : {1, 2}) {
          for (const int64_t input_length : {7, 20, 67}) {
            problem.groups = group_count;
            problem.in_channels = group_count * in_per_group;
            problem.out_channels = group_count * out_per_group;
            problem.kernel_size = kernel_size;
            problem.stride = stride;
            problem.input_length = input_length;
            problem.padding_left = kernel_size - 1;
            problem.padding_right = kernel_size / 2;
            append_if_possible(problems, problem);
          }
        }
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> batches() {
  std::vector<Problem> problems;
  Problem problem = plain_problem();
  for (const int64_t batch : {0, 1, 2, 3, 7, 33}) {
    for (const int64_t output_length : {0, 1, 2, 3, 5, 15, 17}) {
      for (const int64_t group_count : {1, 4}) {
        problem.batch = batch;
        problem.groups = group_count;
        problem.in_channels = problem.out_channels = 4;
        problem.kernel_size = 4;
        problems.push_back(with_output_length(problem, output_length));
      }
    }
  }
  return share_of(problems);
}

std::vector<Problem> layouts() {
  std::vector<Problem> problems;
  for (const int64_t group_count : {1, 2, 6}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t input_length : {1, 19, 70}) {
        Problem problem = plain_problem();
        problem.groups = group_count;
        problem.in_channels = problem.out_channels = group_count == 2 ? 40 : 6;  // of a group: one, few, over a vector
        problem.stride = stride;
        problem.input_length = input_length;
        problem = with_contiguous_strides(problem);
        const auto channels_last = [](int64_t channels, int64_t length) {
          return ActivationStrides{channels * length, 1, channels};
        };
        const auto with_gaps = [](ActivationStrides strides) {
          return ActivationStrides{3 * strides.batch + 50, 3 * strides.channel + 1, 3 * strides.time};
        };
        const ActivationStrides input = problem.input_strides;
        const ActivationStrides output = problem.output_strides;

        Problem last = problem;
        last.input_strides = channels_last(problem.in_channels, input_length);
        problems.push_back(last);
        last.output_strides = channels_last(problem.out_channels, problem.output_length);
        problems.push_back(last);

        Problem gaps = problem;
        gaps.input_strides = with_gaps(input);
        gaps.output_strides = with_gaps(output);
        problems.push_back(gaps);

        Problem batch_inside = problem;
        batch_inside.input_strides = {1, problem.batch * input_length, problem.batch};
        batch_inside.output_strides = {1, problem.batch * problem.output_length, problem.batch};
        problems.push_back(batch_inside);

        const int64_t in_per_group = problem.in_channels / group_count;
        Problem transposed = problem;
        transposed.weight_strides = {1, problem.out_channels * problem.kernel_size, problem.out_channels};
        problems.push_back(transposed);
        transposed.weight_strides = {in_per_group * problem.kernel_size * 2 + 3, 1, in_per_group + 2};
        problems.push_back(transposed);
      }
    }
  }
  // Long enough for whole vectors of every so many samples.
  for (const int64_t stride : {2, 3, 7, 10, 16, 17}) {
    for (const int64_t padding : {0, 5}) {
      Problem problem = plain_problem();
      problem.stride = stride;
      problem.padding_left = problem.padding_right = padding;
      problem.input_length = 40 * stride + 3;
      problems.push_back(with_contiguous_strides(problem));
    }
  }
  return share_of(problems);
}

std::vector<Problem> random_problems(uint64_t seed, int count) {
  std::mt19937_64 generator(seed);
  const auto number = [&](int64_t lowest, int64_t highest) {
    return lowest + static_cast<int64_t>(generator() % static_cast<uint64_t>(highest - lowest + 1));
  };
  std::vector<Problem> problems;
  while (static_cast<int>(problems.size()) < count) {
    Problem problem = plain_problem();
    problem.batch = number(1, 4);
    problem.groups = number(0, 2) == 0 ? number(1, 9) : 1;
    problem.in_channels = problem.groups * number(1, 12);
    problem.out_channels = problem.groups * number(1, 20);
    problem.kernel_size = number(1, 12);
    problem.stride = number(0, 1) == 0 ? 1 : number(1, 7);
    problem.dilation = number(0, 1) == 0 ? 1 : number(1, 9);
    problem.padding_left = number(0, 12);
    problem.padding_right = number(0, 12);
    problem.padding_mode = all_modes[static_cast<size_t>(number(0, 3))];
    problem.input_length = number(1, 150);
    append_if_possible(problems, problem);
  }
  return share_of(problems);
}

std::vector<Problem> around_matrix_tiles() {
  std::mt19937_64 generator(3);
  const auto one_of = [&](std::initializer_list<int64_t> numbers) {
    return numbers.begin()[generator() % numbers.size()];
  };
  std::vector<Problem> problems;
  while (problems.size() < 250) {
    Problem problem = plain_problem();
    problem.batch = one_of({1, 1, 2, 5});
    problem.groups = one_of({1, 1, 1, 2});
    problem.in_channels = problem.groups * one_of({1, 2, 3, 15, 31, 32, 33, 40, 65});
    problem.out_channels = problem.groups * one_of({2, 8, 15, 16, 17, 31, 33, 50});
    problem.kernel_size = one_of({1, 2, 3, 4, 5, 8, 9, 16, 17, 33});
    problem.stride = one_of({1, 1, 1, 2, 3, 16});
    problem.dilation = one_of({1, 1, 2, 5, 200});
    problem.padding_left = one_of({0, 1, 7, 40});
    problem.padding_right = one_of({0, 2, 19});
    problem.padding_mode = all_modes[generator() % 4];
    problem = with_output_length(problem, one_of({1, 9, 15, 16, 17, 31, 32, 33, 48, 65, 100}));
    if (problem.in_channels * problem.input_length >= 100000) continue;
    append_if_possible(problems, problem);
    if (problems.empty() || one_of({0, 1, 2}) > 0) continue;
    const Problem& last = problems.back();
    problems.back().input_strides = {last.in_channels * last.input_length, 1, last.in_channels};
  }
  return share_of(problems);
}

std::vector<Problem> few_outputs() {
  std::vector<Problem> problems;
  for (const int64_t kernel_size : {1, 2, 5, 16}) {
    for (const int64_t batch : {1, 2, 3}) {
      for (const int64_t length : {1, 2, 7, 9}) {
        for (const PaddingMode mode : all_modes) {
          Problem problem = plain_problem();
          problem.batch = batch;
          problem.groups = 1 + length % 2;
          problem.in_channels = problem.groups * (16 + 3 * kernel_size + length);
          problem.out_channels = problem.groups * (7 + 13 * batch);
          problem.kernel_size = kernel_size;
          problem.stride = 1 + (kernel_size + length) % 3;
          problem.dilation = 1 + batch % 2;
          problem.padding_mode = mode;
          problem.padding_left = std::min((kernel_size - 1) * problem.dilation, length - 1);
          problem.padding_right = kernel_size / 2;
          problem.input_length = length;
          append_if_possible(problems, problem);
        }
      }
    }
  }
  // Columns in several blocks, and outputs that only large weights have.
  for (const int64_t outputs : {31, 61}) {
    Problem problem = plain_problem();
    problem.batch = 1;
    problem.in_channels = 515;
    problem.out_channels = 181;
    problem.kernel_size = 3;
    problems.push_back(with_output_length(problem, outputs));
  }
  // Outputs that only many output channels have.
  Problem problem = plain_problem();
  problem.in_channels = 70;
  problem.out_channels = 100;
  problem.kernel_size = 4;
  problem.stride = 2;
  problem.padding_left = problem.padding_right = 1;
  for (const int64_t batch : {1, 2}) {
    problem.batch = batch;
    problems.push_back(with_output_length(problem, 60 / batch));
  }
  return share_of(problems);
}

Problem with_taps_first(Problem problem) {
  const int64_t group_in = problem.in_channels / problem.groups;
  problem.weight_strides = {group_in, 1, problem.out_channels * group_in};
  return problem;
}

std::vector<Problem> whole_vectors_of_out_channels() {
  std::vector<Problem> problems;
  uint64_t turn = 0;
  for (const int64_t kernel_size : {2, 3, 5, 9}) {
    for (const int64_t outputs : {1, 7, 33, 64, 121, 300}) {
      constexpr int64_t out_channels[] = {16, 48, 112};
      constexpr int64_t in_channels[] = {1, 5, 19, 130};
      Problem problem = plain_problem();
      problem.batch = 1 + static_cast<int64_t>(turn % 3);
      problem.groups = 1 + static_cast<int64_t>(turn % 4 == 3);
      problem.in_channels = problem.groups * in_channels[turn % 4];
      problem.out_channels = problem.groups * out_channels[turn % 3];
      problem.kernel_size = kernel_size;
      problem.padding_left = kernel_size / 2;
      problem.padding_right = static_cast<int64_t>(turn % 2);
      problem.padding_mode = all_modes[turn % 4];
      problem = with_output_length(problem, outputs);
      ++turn;
      append_if_possible(problems, problem);
      if (problems.empty() || turn % 5 != 0) continue;
      Problem& last = problems.back();
      last.output_strides = {last.out_channels * last.output_length, 1, last.out_channels};
    }
  }
  // So few tiles that some transform puts those of several input channels in a vector.
  for (const int64_t outputs : {1, 6, 23, 55}) {
    for (const int64_t in_channels : {16, 24, 30}) {
      Problem problem = plain_problem();
      problem.batch = 1 + outputs % 2;
      problem.groups = 1 + outputs % 3;
      problem.in_channels = problem.groups * in_channels;
      problem.out_channels = problem.groups * 16;
      problem.kernel_size = in_channels == 24 ? 3 : 13;
      problem.padding_left = problem.padding_right = problem.kernel_size / 2;
      append_if_possible(problems, with_output_length(problem, outputs));
    }
  }
  Problem many_tiles = plain_problem();
  many_tiles.batch = 9;
  many_tiles.in_channels = 4;
  many_tiles.out_channels = 32;
  append_if_possible(problems, with_output_length(many_tiles, 190));
  return share_of(problems);
}

std::vector<Problem> blocked() {
  std::vector<Problem> problems;
  const auto add = [&](int64_t batch, int64_t in_channels, int64_t input_length, int64_t out_channels,
                       int64_t kernel_size, int64_t stride, int64_t dilation, int64_t group_count) {
    Problem problem = plain_problem();
    problem.batch = batch;
    problem.in_channels = in_channels;
    problem.input_length = input_length;
    problem.out_channels = out_channels;
    problem.kernel_size = kernel_size;
    problem.stride = stride;
    problem.dilation = dilation;
    problem.groups = group_count;
    problem.padding_left = problem.padding_right = dilation * (kernel_size - 1) / 2;
    append_if_possible(problems, problem);
  };
  add(1, 3, 9001, 2, 3, 1, 1, 1);     // long
  add(1, 3, 20011, 2, 10, 5, 1, 1);   // long with a stride
  add(1, 300, 150, 9, 5, 1, 1, 1);    // many input channels
  add(2, 9, 150, 300, 3, 1, 1, 1);    // many output channels
  add(1, 130, 700, 70, 3, 1, 3, 1);   // both, dilated
  add(1, 2, 300, 3, 129, 1, 1, 1);    // a long kernel
  add(1, 64, 3001, 64, 7, 1, 1, 64);  // depthwise
  add(3, 96, 131, 192, 3, 2, 1, 6);   // grouped, with a stride
  add(1, 1, 40009, 1, 25, 1, 1, 1);   // one channel
  return share_of(problems);
}

}  // namespace tapconv::kernels::test
