// Runs one fuzzed call in guarded memory and compares it with the oracle.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tapconv::kernels::test {

// What is wrong with the call that the bytes describe; empty if nothing is. A stray access ends the process instead.
std::string fault_of(std::span<const uint8_t> bytes);

}  // namespace tapconv::kernels::test
