// The net must have no holes: an access outside a guarded buffer is noticed.
#include "guarded_buffer.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tapconv::kernels::test {
namespace {

TEST(GuardedBuffer, holds_exactly_what_was_asked_for) {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for (const size_t size : {0, 1, 4, 4095, 4096, 4097, 100000}) {
      GuardedBuffer buffer(size, guard);
      EXPECT_EQ(buffer.bytes().size(), size);
      std::memset(buffer.data(), 0, size);
      EXPECT_TRUE(buffer.margins_intact());
    }
  }
}

TEST(GuardedBuffer, aligns) {
  GuardedBuffer buffer(100, Guard::after, 64);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
}

TEST(GuardedBuffer, notices_writes_into_the_margin) {
  GuardedBuffer behind(10, Guard::before);
  static_cast<char*>(behind.data())[10] = 0;
  EXPECT_FALSE(behind.margins_intact());
  GuardedBuffer ahead(10, Guard::after);
  static_cast<char*>(ahead.data())[-1] = 0;
  EXPECT_FALSE(ahead.margins_intact());
}

TEST(GuardedBufferDeathTest, stops_accesses_to_the_pages_around) {
  const auto read_after = [] {
    GuardedBuffer buffer(10, Guard::after);
    return static_cast<volatile char*>(buffer.data())[10];
  };
  const auto read_before = [] {
    GuardedBuffer buffer(10, Guard::before);
    return static_cast<volatile char*>(buffer.data())[-1];
  };
  EXPECT_DEATH(read_after(), "");
  EXPECT_DEATH(read_before(), "");
}

}  // namespace
}  // namespace tapconv::kernels::test
