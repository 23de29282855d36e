// The main function of every test program: GoogleTest's, except for a forced instruction set that is missing.
#include <gtest/gtest.h>

#include "forced_instruction_set.h"

int main(int argc, char** argv) {
  if (machine_lacks_forced_instruction_set()) return skipped_status;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
