// The instruction sets this library has kernels for, best first, and the one in use.
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

// Every instruction set compiled into this library, the best on this processor first; the last is "portable", which
// every machine has.
std::span<const InstructionSet> instruction_sets();

// The one in use: the best available, or the one that the environment variable TAPCONV_ISA names, chosen once per
// process. Throws std::runtime_error if TAPCONV_ISA names an unknown set or one that this machine lacks: a forced
// choice never falls back in silence.
const InstructionSet& current_instruction_set();

// By name; throws std::runtime_error as above. What current_instruction_set() does with TAPCONV_ISA.
const InstructionSet& require_instruction_set(const char* name);

// By name; null if there is none of that name.
const InstructionSet* find_instruction_set(const char* name);

}  // namespace tapconv::kernels
