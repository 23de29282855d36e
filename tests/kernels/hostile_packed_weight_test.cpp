// Nothing but a packed weight is taken for one: not one that was damaged, cut or forged, nor one of another layer.
#include <gtest/gtest.h>

#include <cstring>

#include "cases.h"
#include "harness.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

class HostilePackedWeights : public testing::Test {
 protected:
  HostilePackedWeights() : set_(*instruction_sets_under_test().front()) {
    problem_ = plain_problem();
    problem_.algorithm = AlgorithmRequest::automatic;
    const WeightPacking packing = plan_weight_packing(problem_, set_, 1, FilterLayout{TileTransform::fourier16, false});
    PackedArguments packed(packing, random_arguments(problem_, 1), Guard::after, serial());
    bytes_.assign(packed.bytes().begin(), packed.bytes().end());
  }

  // From memory of exactly this size, so that a read outside of it ends the process.
  std::string read(const std::vector<std::byte>& bytes, const Problem& problem, const InstructionSet& set) {
    GuardedBuffer memory(bytes.size(), Guard::after, 8);
    std::copy(bytes.begin(), bytes.end(), memory.bytes().begin());
    PackedWeight weight;
    return read_packed_weight(memory.data(), bytes.size(), problem, set, weight);
  }
  std::string read(const std::vector<std::byte>& bytes) { return read(bytes, problem_, set_); }

  // As an attacker would write it: with the right checksum.
  std::vector<std::byte> with_header(PackedHeader header) const {
    uint64_t sum = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i + 8 < sizeof header; i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, reinterpret_cast<const char*>(&header) + i, 8);
      sum = (sum ^ word) * 0xD6E8FEB86659FD93;
      sum ^= sum >> 32;
    }
    header.checksum = sum;
    std::vector<std::byte> bytes = bytes_;
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
  }

  const InstructionSet& set_;
  Problem problem_;
  std::vector<std::byte> bytes_;
};

TEST_F(HostilePackedWeights, the_real_one_is_taken) { EXPECT_EQ(read(bytes_), ""); }

TEST_F(HostilePackedWeights, every_bit_of_the_header_counts) {
  for (size_t bit = 0; bit < 8 * sizeof(PackedHeader); ++bit) {
    std::vector<std::byte> bytes = bytes_;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_NE(read(bytes), "") << "bit " << bit;
  }
}

TEST_F(HostilePackedWeights, every_length_counts) {
  for (size_t size = 0; size < bytes_.size(); size += size < 2 * sizeof(PackedHeader) ? 1 : 61) {
    EXPECT_NE(read({bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size)}), "") << size << " bytes";
  }
  std::vector<std::byte> longer = bytes_;
  longer.resize(longer.size() + 64);
  EXPECT_NE(read(longer), "");
}

// Every field set to numbers that would lead a trusting reader astray.
TEST_F(HostilePackedWeights, forged_headers) {
  PackedHeader real{};
  std::memcpy(&real, bytes_.data(), sizeof real);
  ASSERT_EQ(with_header(real), bytes_) << "the checksum is the kernels'";
  for (size_t at = 0; at + 8 < sizeof real; at += 8) {
    for (const int64_t value : {int64_t(0), int64_t(1), int64_t(2), int64_t(3), int64_t(6), int64_t(7), int64_t(64),
                                int64_t(-1), INT64_MAX, INT64_MIN, int64_t(1) << 40}) {
      PackedHeader forged = real;
      std::memcpy(reinterpret_cast<char*>(&forged) + at, &value, 8);
      if (std::memcmp(&forged, &real, sizeof real) == 0) continue;
      const bool harmless = at == offsetof(PackedHeader, algorithm) && value >= 0 && value <= 3;
      const bool no_filters = at == offsetof(PackedHeader, filters_fit) && value == 0;
      EXPECT_EQ(read(with_header(forged)).empty(), harmless || no_filters) << "field at " << at << " = " << value;
    }
  }
}

TEST_F(HostilePackedWeights, what_it_was_packed_for_is_named) {
  const auto expect = [&](const char* words, const Problem& problem) {
    const std::string wrong = read(bytes_, problem, set_);
    EXPECT_NE(wrong.find(words), std::string::npos) << wrong;
  };
  Problem problem = problem_;
  problem.stride = 2;
  expect("packed for stride 1, and this call has 2", problem);
  problem = problem_;
  problem.dilation = 3;
  expect("packed for dilation 1, and this call has 3", problem);
  problem = problem_;
  problem.out_channels = 6;
  expect("weight of shape (5, 3, 3), and this call has (6, 3, 3)", problem);
  problem = problem_;
  problem.data_type = DataType::float64;
  expect("data type float32, and this call has float64", problem);
  problem = problem_;
  problem.groups = 2;
  problem.in_channels *= 2;
  expect("groups 1, and this call has 2", problem);
  for (const InstructionSet& other : instruction_sets()) {
    if (&other == &set_) continue;
    EXPECT_NE(read(bytes_, problem_, other).find(other.name), std::string::npos);
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
