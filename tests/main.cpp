// The main function of every test program: GoogleTest's, except that a run which forces an instruction set that this
// machine lacks is skipped with a word (ctest takes the exit status 77 for that).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/instruction_set.h"

int main(int argc, char** argv) {
  if (const char* name = std::getenv("TAPCONV_ISA")) {
    const tapconv::kernels::InstructionSet* forced = tapconv::kernels::find_instruction_set(name);
    if (forced && !forced->available()) {
      std::printf("skipped: TAPCONV_ISA=%s, and this machine lacks %s\n", name, forced->description);
      return 77;
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
