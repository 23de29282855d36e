#include "runtime/huge_pages.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tapconv::runtime {

#if defined(__linux__) && defined(MADV_HUGEPAGE)

void prefer_huge_pages(void* memory, size_t bytes) {
  constexpr uintptr_t page = uintptr_t{2} << 20;
  constexpr size_t worthwhile = size_t{4} << 20;
  if (bytes < worthwhile) return;
  const auto address = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + bytes) / page * page;
  // This is only a hint: where the system refuses, small pages serve.
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

#else

void prefer_huge_pages(void*, size_t) {}

#endif

}  // namespace tapconv::runtime
