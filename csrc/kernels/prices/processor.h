// Which class of processors this one belongs to, as far as prices differ among them.
#pragma once

#include <cstdint>

namespace tapconv::kernels {

enum class ProcessorClass : uint8_t {
  amd,    // x86-64 by AMD
  intel,  // x86-64 by Intel
  other,  // any other, aarch64 among them
};

inline constexpr int processor_class_count = 3;

const char* name_of(ProcessorClass processor);

ProcessorClass this_processor();

}  // namespace tapconv::kernels
