// Large outputs and workspaces go into large pages. The first touch of fresh memory costs a page fault for every page,
// and a 2 MiB page is one fault where 4 KiB pages are 512.
#pragma once

#include <cstddef>

namespace tapconv::runtime {

// Asks the system to back this memory, which was not touched yet, with huge pages where they fit. Does nothing for
// memory of less than a few MiB, or where the system has no such thing. It never fails.
void prefer_huge_pages(void* memory, size_t bytes);

}  // namespace tapconv::runtime
