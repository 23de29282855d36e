// One fuzzed call: what the bytes of a fuzzer's input mean. Every string of bytes is a valid call, so that no execution
// is wasted, and nearby strings are nearby calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/guarded_buffer.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/oracle.h"
#include "kernels/plan.h"
#include "kernels/problem.h"

namespace tapconv::kernels::test {

// What the tensors hold.
enum class Numbers : uint8_t {
  integers,    // small ones, whose sums are exact
  random,      // in (-1, 1)
  not_finite,  // the same, with a few NaN and infinities in one tensor
  enormous,    // the same, with a few of the type's largest numbers
  denormal,    // all so small that products vanish
};

struct FuzzCase {
  Problem problem;
  Direction direction;
  const InstructionSet* instruction_set;
  int forced_tiles;  // -1, or which transform to force, and with which blocking
  TileBlocking forced_blocking;
  int slots;
  bool threads;  // each slot on a thread of its own
  Guard guard;
  bool bias;
  Numbers numbers;
  uint64_t seed;  // of the numbers
  int pattern;    // of uneven_patterns.h that the signal's random ones are shaped by, or -1
};

FuzzCase fuzz_case_of(std::span<const uint8_t> bytes);

std::string describe(const FuzzCase& fuzz_case);

// How many bytes of an input are read.
inline constexpr size_t fuzz_case_bytes = 32;

}  // namespace tapconv::kernels::test
