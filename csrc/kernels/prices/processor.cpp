#include "processor.h"

namespace tapconv::kernels {

const char* name_of(ProcessorClass processor) {
  switch (processor) {
    case ProcessorClass::amd:
      return "amd";
    case ProcessorClass::intel:
      return "intel";
    case ProcessorClass::other:
      break;
  }
  return "other";
}

ProcessorClass this_processor() {
#if defined(__x86_64__)
  if (__builtin_cpu_is("intel")) return ProcessorClass::intel;
  if (__builtin_cpu_is("amd")) return ProcessorClass::amd;
#endif
  return ProcessorClass::other;
}

}  // namespace tapconv::kernels
