// A run that forces an instruction set which this machine lacks is skipped with a word: ctest takes the exit status 77
// for that.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "kernels/instruction_sets/instruction_set.h"

inline constexpr int skipped_status = 77;

inline bool machine_lacks_forced_instruction_set() {
  const char* const name = std::getenv("TAPCONV_ISA");
  if (name == nullptr) return false;
  const tapconv::kernels::InstructionSet* forced = tapconv::kernels::find_instruction_set(name);
  if (forced == nullptr || forced->available()) return false;
  std::printf("skipped: TAPCONV_ISA=%s, and this machine lacks %s\n", name, forced->description);
  return true;
}
