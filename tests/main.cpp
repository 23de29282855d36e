// The main function of every test program: GoogleTest's, except for a forced instruction set that is missing.
#include <gtest/gtest.h>

#include "forced_instruction_set.h"

int main(int argc, char** argv) {
  if (machine_lacks_forced_instruction_set()) return skipped_status;
  // Death tests run in new processes, which have made no choice and started no thread yet.
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
