#include "support.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <tapconv/functional.h>

#include <algorithm>

namespace tapconv::testing {
namespace {

// Thousands of tiny problems: torch's waking of threads for each would be most of the time. The tests that are about
// threads set their number themselves.
class OneThread : public ::testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};

[[maybe_unused]] const auto* const one_thread = ::testing::AddGlobalTestEnvironment(new OneThread);

}  // namespace

bool Case::is_valid() const {
  const int64_t padded = length + padding[0] + padding[1];
  if (padded <= dilation * (kernel_size - 1)) return false;
  const int64_t most = std::max(padding[0], padding[1]);
  if (padding_mode == "reflect") return most < length;
  return padding_mode != "circular" || most <= length;
}

std::ostream& operator<<(std::ostream& stream, const Case& c) {
  return stream << "batch " << c.batch << ", channels " << c.channels.in << " -> " << c.channels.out << " in "
                << c.channels.groups << " groups, length " << c.length << ", kernel_size " << c.kernel_size
                << ", stride " << c.stride << ", dilation " << c.dilation << ", padding (" << c.padding[0] << ", "
                << c.padding[1] << ") of " << c.padding_mode;
}

std::vector<Case> grid() {
  std::vector<Case> cases;
  for (const Channels channels : {Channels{1, 1, 1}, {3, 5, 1}, {4, 6, 2}, {6, 6, 6}, {3, 12, 3}, {16, 24, 1}})
    for (const int64_t length : {1, 7, 16, 33, 100})
      for (const int64_t kernel_size : {1, 2, 3, 8})
        for (const int64_t stride : {1, 2, 5})
          for (const int64_t dilation : {1, 3})
            for (const std::array<int64_t, 2> padding : {std::array<int64_t, 2>{0, 0}, {1, 1}, {6, 0}, {2, 5}})
              for (const char* mode : {"zeros", "reflect", "replicate", "circular"}) {
                if (padding == std::array<int64_t, 2>{0, 0} && mode != std::string("zeros")) continue;
                const Case c{2, channels, length, kernel_size, stride, dilation, padding, mode};
                if (c.is_valid()) cases.push_back(c);
              }
  return cases;
}

std::vector<Case> thin_grid() {
  std::vector<Case> thin;
  const std::vector<Case> all = grid();
  for (size_t i = 0; i < all.size(); i += 13) thin.push_back(all[i]);
  return thin;
}

at::Tensor integers(at::IntArrayRef shape, at::ScalarType type) {
  return at::randint(-3, 4, shape, at::kDouble).to(type);
}

Tensors integer_tensors(const Case& c, at::ScalarType type) {
  return {.input = integers({c.batch, c.channels.in, c.length}, type),
          .weight = integers({c.channels.out, c.channels.in / c.channels.groups, c.kernel_size}, type),
          .bias = integers({c.channels.out}, type)};
}

at::Tensor reference(const Case& c, const Tensors& tensors) {
  const std::string mode = c.padding_mode == "zeros" ? "constant" : c.padding_mode;
  const at::Tensor padded = at::pad(tensors.input.to(at::kDouble), c.padding, mode);
  const auto bias = tensors.bias.defined() ? std::optional(tensors.bias.to(at::kDouble)) : std::nullopt;
  return at::conv1d(padded, tensors.weight.to(at::kDouble), bias, c.stride, no_padding, c.dilation, c.channels.groups);
}

at::Tensor actual(const Case& c, const Tensors& tensors, std::string_view algorithm) {
  return tapconv::conv1d(tensors.input, tensors.weight, tensors.bias, c.stride, c.padding, c.dilation,
                         c.channels.groups, c.padding_mode, algorithm);
}

}  // namespace tapconv::testing
