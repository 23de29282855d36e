#include "local_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

double sum_of_magnitudes(const Tensor& tensor, int64_t i, int64_t j) {
  double sum = 0;
  for (int64_t k = 0; k < tensor.sizes[2]; ++k) sum += std::fabs(tensor.at(i, j, k));
  return sum;
}

// Sums close to the largest number may be rounded to it or to infinity.
double saturated(DataType type, double value) {
  return type == DataType::float16 && std::isinf(value) ? std::copysign(0x1p16, value) : value;
}

}  // namespace

Tensor local_magnitude(Direction direction, const Problem& p, const Arguments& arguments) {
  Tensor magnitude = empty_result(p, direction);
  std::fill(magnitude.storage.begin(), magnitude.storage.end(), 0.0);
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t group_out = p.out_channels / p.groups;
  const auto see = [](double& largest, double value) { largest = std::max(largest, std::fabs(value)); };

  if (direction == Direction::grad_weight) {
    std::vector<Tensor> seen(static_cast<size_t>(p.batch), magnitude);
    for_each_product(p, [&](int64_t n, int64_t o, int64_t c, int64_t channel, int64_t k, int64_t, int64_t i) {
      see(seen[static_cast<size_t>(n)].at(o, c, k), arguments.input.at(n, channel, i));
    });
    for (int64_t n = 0; n < p.batch; ++n) {
      for (int64_t o = 0; o < p.out_channels; ++o) {
        const double gradients = sum_of_magnitudes(arguments.output, n, o);
        for (int64_t c = 0; c < group_in; ++c) {
          for (int64_t k = 0; k < p.kernel_size; ++k) {
            magnitude.at(o, c, k) += gradients * seen[static_cast<size_t>(n)].at(o, c, k);
          }
        }
      }
    }
    return magnitude;
  }

  for_each_product(p, [&](int64_t n, int64_t o, int64_t, int64_t channel, int64_t, int64_t t, int64_t i) {
    if (direction == Direction::forward) {
      see(magnitude.at(n, o, t), arguments.input.at(n, channel, i));
    } else {
      see(magnitude.at(n, channel, i), arguments.output.at(n, o, t));
    }
  });
  for (int64_t channel = 0; channel < magnitude.sizes[1]; ++channel) {
    double weights = 0;
    if (direction == Direction::forward) {
      for (int64_t c = 0; c < group_in; ++c) weights += sum_of_magnitudes(arguments.weight, channel, c);
    } else {
      const int64_t first = channel / group_in * group_out;
      for (int64_t o = first; o < first + group_out; ++o) {
        weights += sum_of_magnitudes(arguments.weight, o, channel % group_in);
      }
    }
    const bool has_bias = direction == Direction::forward && !arguments.bias.empty();
    const double bias = has_bias ? std::fabs(arguments.bias[static_cast<size_t>(channel)]) : 0;
    for (int64_t n = 0; n < magnitude.sizes[0]; ++n) {
      for (int64_t t = 0; t < magnitude.sizes[2]; ++t) {
        double& here = magnitude.at(n, channel, t);
        here = here == 0 ? 0 : weights * here + bias;
      }
    }
  }
  return magnitude;
}

double local_error(const Problem& p, const Sums& exact, const Tensor& magnitude, const Tensor& actual) {
  const double unit = unit_roundoff(p.data_type);
  const std::vector<bool> reached = reached_elements(actual);
  double largest = 0;
  for (size_t i = 0; i < reached.size(); ++i) {
    if (!reached[i]) continue;
    const double rounded = saturated(p.data_type, nearest(p.data_type, exact.value.storage[i]));
    const double error = std::fabs(saturated(p.data_type, actual.storage[i]) - rounded);
    if (error == 0) continue;
    // Below the smallest normal number, roundings are absolute.
    const double normal = p.data_type == DataType::float16   ? 0x1p-14
                          : p.data_type == DataType::float64 ? 0x1p-1022
                                                             : 0x1p-126;
    const double bound = unit * std::max(magnitude.storage[i], magnitude.storage[i] > 0 ? normal : 0);
    largest = std::max(largest, bound > 0 ? error / bound : std::numeric_limits<double>::infinity());
  }
  return largest;
}

}  // namespace tapconv::kernels::test
