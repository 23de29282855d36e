// Elements more than 2^31 and 2^32 places apart, which take address space but no memory: a 32-bit index anywhere on the
// way would read or write elsewhere.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <system_error>

#include "cases.h"
#include "harness.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

using Strides = std::array<int64_t, 3>;

Strides strides_of(const ActivationStrides& s) { return {s.batch, s.channel, s.time}; }
Strides strides_of(const WeightStrides& s) { return {s.out_channel, s.in_channel, s.tap}; }

// A tensor of the problem's strides in address space of which only the pages that are touched become memory.
class SparseTensor {
 public:
  SparseTensor(DataType type, std::array<int64_t, 3> sizes, Strides strides)
      : type_(type), sizes_(sizes), strides_(strides) {
    int64_t last = 0;
    for (size_t i = 0; i < 3; ++i) last += (sizes[i] - 1) * strides[i];
    bytes_ = static_cast<size_t>(last + 1) * format_of(type).bytes;
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  }
  ~SparseTensor() { munmap(data_, bytes_); }
  SparseTensor(const SparseTensor&) = delete;
  SparseTensor& operator=(const SparseTensor&) = delete;

  void* data() { return data_; }

  void copy_from(const Tensor& tensor) {
    for_each_index([&](int64_t i, int64_t j, int64_t k) {
      const uint64_t bits = encode(type_, tensor.at(i, j, k));
      std::memcpy(place(i, j, k), &bits, format_of(type_).bytes);
    });
  }

  void copy_to(Tensor& tensor) const {
    for_each_index([&](int64_t i, int64_t j, int64_t k) {
      uint64_t bits = 0;
      std::memcpy(&bits, place(i, j, k), format_of(type_).bytes);
      tensor.at(i, j, k) = decode(type_, bits);
    });
  }

 private:
  std::byte* place(int64_t i, int64_t j, int64_t k) const {
    const int64_t offset = i * strides_[0] + j * strides_[1] + k * strides_[2];
    return static_cast<std::byte*>(data_) + offset * static_cast<int64_t>(format_of(type_).bytes);
  }

  template <class Body>
  void for_each_index(Body body) const {
    for (int64_t i = 0; i < sizes_[0]; ++i) {
      for (int64_t j = 0; j < sizes_[1]; ++j) {
        for (int64_t k = 0; k < sizes_[2]; ++k) body(i, j, k);
      }
    }
  }

  DataType type_;
  std::array<int64_t, 3> sizes_;
  Strides strides_;
  size_t bytes_;
  void* data_;
};

// The same problem in tensors whose neighbours along one dimension are far apart.
enum class Far { batch_and_channel, time_and_tap, batch_and_filter };

Problem with_elements_apart(Problem problem, Far far) {
  constexpr int64_t beyond_31_bits = (int64_t{1} << 31) + 5;
  constexpr int64_t beyond_32_bits = (int64_t{1} << 36) + 3;
  switch (far) {
    case Far::batch_and_channel:
      problem.input_strides = {beyond_32_bits, beyond_31_bits, 1};
      problem.output_strides = {beyond_32_bits, beyond_31_bits, 1};
      problem.weight_strides = {beyond_32_bits, beyond_31_bits, 1};
      break;
    case Far::time_and_tap:
      problem.input_strides = {4096, 64, beyond_31_bits};
      problem.output_strides = {4096, 64, beyond_31_bits};
      problem.weight_strides = {64, 1, beyond_31_bits};
      break;
    case Far::batch_and_filter:
      problem.input_strides.batch = problem.output_strides.batch = beyond_32_bits;
      problem.weight_strides.out_channel = beyond_31_bits;
      break;
  }
  return problem;
}

std::vector<Problem> problems() {
  std::vector<Problem> list;
  const auto add = [&](int64_t in_channels, int64_t out_channels, int64_t group_count, int64_t kernel_size,
                       int64_t stride, int64_t dilation, int64_t length) {
    Problem problem = plain_problem();
    problem.in_channels = in_channels;
    problem.out_channels = out_channels;
    problem.groups = group_count;
    problem.kernel_size = kernel_size;
    problem.stride = stride;
    problem.dilation = dilation;
    problem.padding_left = 2;
    problem.padding_right = 1;
    problem.input_length = length;
    list.push_back(with_contiguous_strides(problem));
  };
  add(3, 5, 1, 3, 1, 1, 20);
  add(4, 6, 2, 4, 2, 3, 41);
  add(6, 6, 6, 3, 1, 1, 70);
  add(20, 20, 1, 9, 1, 1, 90);  // by tiles, if asked for
  add(5, 5, 5, 70, 1, 1, 150);  // a long depthwise filter
  add(17, 33, 1, 5, 1, 1, 6);   // few outputs
  add(40, 33, 1, 4, 1, 1, 1);   // one output
  add(32, 32, 32, 3, 1, 1, 6);  // few outputs of each channel
  return list;
}

class FarApart : public testing::TestWithParam<Direction> {};

TEST_P(FarApart, elements_are_found) {
  uint64_t seed = 0;
  std::set<Algorithm> algorithms;
  for (const Problem& near : problems()) {
    for (const DataType type : {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16}) {
      for (const AlgorithmRequest request : {AlgorithmRequest::direct, AlgorithmRequest::fft}) {
        for (const Far far : {Far::batch_and_channel, Far::time_and_tap, Far::batch_and_filter}) {
          Problem problem = near;
          problem.data_type = type;
          problem.algorithm = request;
          Arguments arguments = integer_arguments(problem, ++seed);
          arguments.bias.clear();
          const Tensor expected = oracle(GetParam(), problem, arguments).value;
          problem = with_elements_apart(problem, far);
          SparseTensor input(type, arguments.input.sizes, strides_of(problem.input_strides));
          SparseTensor weight(type, arguments.weight.sizes, strides_of(problem.weight_strides));
          SparseTensor output(type, arguments.output.sizes, strides_of(problem.output_strides));
          input.copy_from(arguments.input);
          weight.copy_from(arguments.weight);
          output.copy_from(arguments.output);
          SparseTensor& result = GetParam() == Direction::forward      ? output
                                 : GetParam() == Direction::grad_input ? input
                                                                       : weight;
          for (const InstructionSet* set : instruction_sets_under_test()) {
            SCOPED_TRACE(std::string(set->name) + ", " + name_of(type) + ", " + describe(problem));
            Tensor actual = expected;
            std::fill(actual.storage.begin(), actual.storage.end(), std::nan(""));
            result.copy_from(actual);
            const Plan plan = plan_of(GetParam(), problem, *set, 1);
            algorithms.insert(plan.algorithm);
            GuardedBuffer workspace(plan.workspace_bytes(), Guard::after, 64);
            switch (GetParam()) {
              case Direction::forward:
                forward(plan, input.data(), weight.data(), nullptr, output.data(), workspace.data(), serial());
                break;
              case Direction::grad_input:
                grad_input(plan, output.data(), weight.data(), input.data(), workspace.data(), serial());
                break;
              case Direction::grad_weight:
                grad_weight(plan, output.data(), input.data(), weight.data(), nullptr, workspace.data(), serial());
                break;
            }
            result.copy_to(actual);
            for (size_t i = 0; i < expected.storage.size(); ++i) {
              // Sums of integers: what a transform rounds is far below one.
              const double bound = 0.25 + 2 * unit_roundoff(type) * std::fabs(expected.storage[i]);
              ASSERT_LE(std::fabs(actual.storage[i] - expected.storage[i]), bound)
                  << "element " << i << ": got " << actual.storage[i] << ", the sum is " << expected.storage[i];
            }
          }
        }
      }
    }
  }
  // The gradient by the input is forward problems within its plan, by the same algorithms.
  const std::set<Algorithm> least =
      GetParam() == Direction::forward ? std::set{Algorithm::direct, Algorithm::dot, Algorithm::channel_lanes,
                                                  Algorithm::tiles, Algorithm::depthwise_tiles}
      : GetParam() == Direction::grad_input
          ? std::set{Algorithm::grad_input}
          : std::set{Algorithm::grad_weight, Algorithm::grad_weight_tiles, Algorithm::grad_weight_depthwise_tiles};
  for (const Algorithm algorithm : least) EXPECT_TRUE(algorithms.contains(algorithm)) << name_of(algorithm);
}

INSTANTIATE_TEST_SUITE_P(Kernels, FarApart,
                         testing::Values(Direction::forward, Direction::grad_input, Direction::grad_weight),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tapconv::kernels::test
