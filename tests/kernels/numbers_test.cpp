// The tests' own number formats against what the standards print.
#include "numbers.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tapconv::kernels::test {
namespace {

TEST(Numbers, short_formats_have_their_published_values) {
  EXPECT_EQ(encode(DataType::float16, 65504), 0x7BFFu);  // the largest
  EXPECT_EQ(encode(DataType::float16, 65520), 0x7C00u);  // a tie, away to infinity
  EXPECT_EQ(encode(DataType::float16, 0x1p-24), 0x0001u);
  EXPECT_EQ(encode(DataType::float16, 0x1p-14), 0x0400u);
  EXPECT_EQ(encode(DataType::float16, 1.0 + 0x1p-11), 0x3C00u);  // a tie, to even
  EXPECT_EQ(encode(DataType::float16, 1.0 + 0x3p-11), 0x3C02u);
  EXPECT_EQ(encode(DataType::bfloat16, 1.0), 0x3F80u);
  EXPECT_EQ(encode(DataType::bfloat16, -3.140625), 0xC049u);
  EXPECT_EQ(encode(DataType::bfloat16, 1.0 + 0x1p-8), 0x3F80u);  // a tie, to even
}

TEST(Numbers, every_short_number_survives_a_round_trip) {
  for (const DataType type : {DataType::bfloat16, DataType::float16}) {
    for (uint64_t bits = 0; bits < 0x10000; ++bits) {
      const double value = decode(type, bits);
      if (std::isnan(value)) continue;
      ASSERT_EQ(encode(type, value), bits) << name_of(type);
      ASSERT_EQ(nearest(type, value), value) << name_of(type);
    }
  }
}

TEST(Numbers, all_ones_is_not_a_number) {
  for (const DataType type : {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16}) {
    EXPECT_TRUE(std::isnan(decode(type, ~uint64_t{0}))) << name_of(type);
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
