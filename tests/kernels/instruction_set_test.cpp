// The list of instruction sets and the choice among them.
#include "kernels/instruction_sets/instruction_set.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace tapconv::kernels {
namespace {

TEST(InstructionSets, end_with_portable_which_every_machine_has) {
  ASSERT_FALSE(instruction_sets().empty());
  const InstructionSet& last = instruction_sets().back();
  EXPECT_STREQ(last.name, "portable");
  EXPECT_TRUE(last.available());
}

TEST(InstructionSets, are_found_by_name) {
  for (const InstructionSet& set : instruction_sets()) EXPECT_EQ(find_instruction_set(set.name), &set);
  EXPECT_EQ(find_instruction_set("no-such-set"), nullptr);
  EXPECT_EQ(find_instruction_set(""), nullptr);
}

#if defined(__x86_64__)
TEST(InstructionSets, bfloat16_pairs_come_first_where_they_are_faster_than_float32) {
  const InstructionSet* pairs = find_instruction_set("avx512_bf16");
  const InstructionSet* float32 = find_instruction_set("avx512");
  if (pairs == nullptr || float32 == nullptr) GTEST_SKIP() << "built without AVX-512";
  EXPECT_EQ(pairs < float32, !__builtin_cpu_is("intel"));
}
#endif

TEST(InstructionSets, best_available_one_is_current_unless_forced) {
  const InstructionSet& current = current_instruction_set();
  if (const char* forced = std::getenv("TAPCONV_ISA")) {
    EXPECT_STREQ(current.name, forced);
    return;
  }
  for (const InstructionSet& set : instruction_sets()) {
    if (!set.available()) continue;
    EXPECT_EQ(&current, &set);
    return;
  }
}

// In a fresh process, because the choice is made once: the message of the error that TAPCONV_ISA=`name` raises.
void print_error_and_exit(const char* name) {
  setenv("TAPCONV_ISA", name, 1);
  try {
    current_instruction_set();
  } catch (const std::runtime_error& error) {
    std::fputs(error.what(), stderr);
    std::exit(1);
  }
  std::exit(0);
}

TEST(InstructionSetsDeathTest, unknown_name_is_an_error_that_names_the_known_ones) {
  const auto fails = testing::ExitedWithCode(1);
  EXPECT_EXIT(print_error_and_exit("sse9"), fails, "TAPCONV_ISA.*sse9.*portable");
  EXPECT_EXIT(print_error_and_exit("AVX2 "), fails, "TAPCONV_ISA");
}

TEST(InstructionSetsDeathTest, set_that_the_machine_lacks_is_an_error) {
  bool any = false;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.available()) continue;
    any = true;
    EXPECT_EXIT(print_error_and_exit(set.name), testing::ExitedWithCode(1), std::string("TAPCONV_ISA.*") + set.name);
  }
  if (!any) GTEST_SKIP() << "this machine has every instruction set of the library";
}

TEST(InstructionSetsDeathTest, known_name_is_obeyed) {
  EXPECT_EXIT(print_error_and_exit("portable"), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tapconv::kernels
