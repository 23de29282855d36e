// The instruction sets that this library has kernels for, best first, and the one in use.
#pragma once

#include <span>

#include "kernels/prices/prices.h"

namespace tapconv::kernels {

struct KernelTable;

struct InstructionSet {
  const char* name;                   // "avx512", "avx2", "portable", ...: what TAPCONV_ISA takes
  const char* description;            // the processor features it needs, for people
  int vector_bytes;                   // one register
  int register_count;                 // vector registers
  bool multiplies_bfloat16_pairs;     // adds up two products of bfloat16 numbers in each 32-bit lane
  bool multiplies_bfloat16_matrices;  // multiplies matrices of 16 by 32 and 32 by 16 bfloat16 numbers
  bool (*available)();                // does this machine have it?
  const KernelTable* (*table)();      // entry points

  // Those of this machine, or others that costs are to be estimated by.
  const Prices* prices = &usual_prices;
};

// Returns every instruction set compiled into this library, the best on this processor first. The last is "portable",
// which every machine has.
std::span<const InstructionSet> instruction_sets();

// Returns the set in use: the best available, or the one that the environment variable TAPCONV_ISA names. It is chosen
// once per process. Throws std::runtime_error if TAPCONV_ISA names an unknown set or one that this machine lacks,
// because a forced choice never falls back in silence.
const InstructionSet& current_instruction_set();

// Returns the set of that name, or throws std::runtime_error as above. current_instruction_set() does this with
// TAPCONV_ISA.
const InstructionSet& require_instruction_set(const char* name);

// Returns the set of that name, or null if there is none.
const InstructionSet* find_instruction_set(const char* name);

}  // namespace tapconv::kernels
