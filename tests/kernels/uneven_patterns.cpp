#include "uneven_patterns.h"

#include <algorithm>
#include <cmath>

#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

constexpr Pattern patterns[] = {
    {"even", [](double even, int64_t, int64_t) { return even; }},
    {"masked by -1e9", [](double even, int64_t i, int64_t count) { return i < count / 2 ? even : -1e9; }},
    {"masked by 3e4", [](double even, int64_t i, int64_t count) { return i >= count / 3 ? even : 3e4; }},
    {"masked by 2e2", [](double even, int64_t i, int64_t count) { return i < 2 * count / 3 ? even : 2e2; }},
    {"a click", [](double even, int64_t i, int64_t count) { return i == count / 2 ? 1e4 : even; }},
    {"a small click", [](double even, int64_t i, int64_t count) { return i == count / 2 ? 10 : even; }},
    {"an onset", [](double even, int64_t i, int64_t count) { return even * (i < count / 2 ? 1e-4 : 1e2); }},
    {"an impulse", [](double, int64_t i, int64_t count) { return i == count / 3 ? 1.0 : 0.0; }},
    {"leading silence", [](double even, int64_t i, int64_t count) { return i < count / 2 ? 0 : even; }},
    {"growth", [](double even, int64_t i, int64_t count) { return even * std::exp(18.0 * double(i) / double(count)); }},
    {"rare spikes", [](double even, int64_t i, int64_t) { return i % 61 == 7 ? even : 0; }},
};

}  // namespace

std::span<const Pattern> uneven_patterns() { return patterns; }

void apply(const Pattern& pattern, DataType type, Tensor& tensor) {
  const double largest = type == DataType::float16 ? 6e4 : 1e30;
  for (int64_t i = 0; i < tensor.sizes[0]; ++i) {
    for (int64_t j = 0; j < tensor.sizes[1]; ++j) {
      for (int64_t k = 0; k < tensor.sizes[2]; ++k) {
        const double value = pattern.at(tensor.at(i, j, k), k, tensor.sizes[2]);
        tensor.at(i, j, k) = nearest(type, std::clamp(value, -largest, largest));
      }
    }
  }
}

}  // namespace tapconv::kernels::test
