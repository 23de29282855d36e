// What the tests of the operators share: convolutions to try, and torch's answer to them in double precision.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace tapconv::testing {

struct Channels {
  int64_t in;
  int64_t out;
  int64_t groups;
};

// One convolution.
struct Case {
  int64_t batch;
  Channels channels;
  int64_t length;
  int64_t kernel_size;
  int64_t stride;
  int64_t dilation;
  std::array<int64_t, 2> padding;
  std::string padding_mode;

  bool is_valid() const;
};

std::ostream& operator<<(std::ostream& stream, const Case& c);

// All valid combinations of a few sizes, around the widths of vectors and blocks, with every padding mode.
std::vector<Case> grid();

// Every 13th of them: for tests that do much for each case.
std::vector<Case> thin_grid();

struct Tensors {
  at::Tensor input;
  at::Tensor weight;
  at::Tensor bias;
};

// Integers from -3 to 3, so that every sum is exact in every type and results can be compared for equality.
at::Tensor integers(at::IntArrayRef shape, at::ScalarType type);
Tensors integer_tensors(const Case& c, at::ScalarType type);

// torch's result by at::pad and at::conv1d, in double precision.
at::Tensor reference(const Case& c, const Tensors& tensors);

// tapconv's result, through the dispatcher. In plain order, so that sums of integers are exact, unless told otherwise.
at::Tensor actual(const Case& c, const Tensors& tensors, std::string_view algorithm = "direct");

// For at::conv1d, where a literal 0 could also be the name of a padding.
inline constexpr int64_t no_padding = 0;

inline const std::vector<at::ScalarType> kernel_types = {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf};

}  // namespace tapconv::testing
