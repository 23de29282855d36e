#include "oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tapconv::kernels::test {
namespace {

Tensor empty_tensor(std::array<int64_t, 3> sizes, std::array<int64_t, 3> strides) {
  Tensor tensor{sizes, strides, {}};
  const bool has_elements = std::all_of(sizes.begin(), sizes.end(), [](int64_t size) { return size > 0; });
  if (has_elements) {
    const int64_t last = tensor.offset(sizes[0] - 1, sizes[1] - 1, sizes[2] - 1);
    tensor.storage.assign(static_cast<size_t>(last + 1), std::numeric_limits<double>::quiet_NaN());
  }
  return tensor;
}

void fill(Tensor& tensor, double value) { std::fill(tensor.storage.begin(), tensor.storage.end(), value); }

}  // namespace

int64_t source_of_position(const Problem& problem, int64_t position) {
  const int64_t length = problem.input_length;
  if (position >= 0 && position < length) return position;
  switch (problem.padding_mode) {
    case PaddingMode::zeros:
      return -1;
    case PaddingMode::reflect:
      return position < 0 ? -position : 2 * (length - 1) - position;
    case PaddingMode::replicate:
      return position < 0 ? 0 : length - 1;
    case PaddingMode::circular:
      return position < 0 ? position + length : position - length;
  }
  return -1;
}

Tensor empty_input(const Problem& problem) {
  const ActivationStrides& strides = problem.input_strides;
  return empty_tensor({problem.batch, problem.in_channels, problem.input_length},
                      {strides.batch, strides.channel, strides.time});
}

Tensor empty_weight(const Problem& problem) {
  const WeightStrides& strides = problem.weight_strides;
  return empty_tensor({problem.out_channels, problem.in_channels / problem.groups, problem.kernel_size},
                      {strides.out_channel, strides.in_channel, strides.tap});
}

Tensor empty_output(const Problem& problem) {
  const ActivationStrides& strides = problem.output_strides;
  return empty_tensor({problem.batch, problem.out_channels, problem.output_length},
                      {strides.batch, strides.channel, strides.time});
}

Tensor empty_result(const Problem& problem, Direction direction) {
  switch (direction) {
    case Direction::forward:
      return empty_output(problem);
    case Direction::grad_input:
      return empty_input(problem);
    case Direction::grad_weight:
      break;
  }
  return empty_weight(problem);
}

std::vector<bool> reached_elements(const Tensor& tensor) {
  std::vector<bool> reached(tensor.storage.size(), false);
  for (int64_t i = 0; i < tensor.sizes[0]; ++i) {
    for (int64_t j = 0; j < tensor.sizes[1]; ++j) {
      for (int64_t k = 0; k < tensor.sizes[2]; ++k) reached[static_cast<size_t>(tensor.offset(i, j, k))] = true;
    }
  }
  return reached;
}

Sums oracle(Direction direction, const Problem& problem, const Arguments& arguments) {
  Tensor value = empty_result(problem, direction);
  fill(value, 0);
  Tensor magnitude = value;
  Tensor lost = value;  // by the roundings of the sums, so that the oracle can judge sums in double precision too
  const Tensor& input = arguments.input;
  const Tensor& weight = arguments.weight;
  const Tensor& output = arguments.output;
  const auto add = [&](int64_t i, int64_t j, int64_t k, double term) {
    double& sum = value.at(i, j, k);
    const double before = sum;
    sum += term;
    const double added = sum - before;
    lost.at(i, j, k) += (before - (sum - added)) + (term - added);
    magnitude.at(i, j, k) += std::fabs(term);
  };
  switch (direction) {
    case Direction::forward:
      for_each_product(problem, [&](int64_t n, int64_t o, int64_t c, int64_t channel, int64_t k, int64_t t, int64_t i) {
        add(n, o, t, weight.at(o, c, k) * input.at(n, channel, i));
      });
      if (arguments.bias.empty()) break;
      for (int64_t n = 0; n < problem.batch; ++n) {
        for (int64_t o = 0; o < problem.out_channels; ++o) {
          for (int64_t t = 0; t < problem.output_length; ++t) add(n, o, t, arguments.bias[static_cast<size_t>(o)]);
        }
      }
      break;
    case Direction::grad_input:
      for_each_product(problem, [&](int64_t n, int64_t o, int64_t c, int64_t channel, int64_t k, int64_t t, int64_t i) {
        add(n, channel, i, weight.at(o, c, k) * output.at(n, o, t));
      });
      break;
    case Direction::grad_weight:
      for_each_product(problem, [&](int64_t n, int64_t o, int64_t c, int64_t channel, int64_t k, int64_t t, int64_t i) {
        add(o, c, k, input.at(n, channel, i) * output.at(n, o, t));
      });
      break;
  }
  for (size_t i = 0; i < value.storage.size(); ++i) {
    if (std::isfinite(lost.storage[i])) value.storage[i] += lost.storage[i];
  }
  return {std::move(value), std::move(magnitude)};
}

}  // namespace tapconv::kernels::test
