#include "guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <system_error>

namespace tapconv::kernels::test {
namespace {

constexpr std::byte not_a_number{0xFF};
constexpr std::byte margin{0xA5};
constexpr size_t largest_idle_mapping = 256 * 1024;

// Mappings that no buffer uses at the moment, by their number of accessible bytes, large ones apart: making one anew
// costs more than most of the kernels that are tested in it. Buffers are made on the main thread only.
std::multimap<size_t, std::byte*>& idle_mappings() {
  static std::multimap<size_t, std::byte*> mappings;
  return mappings;
}

// `accessible` bytes between two inaccessible pages; returns the first accessible one.
std::byte* map_between_guards(size_t accessible, size_t page) {
  if (const auto idle = idle_mappings().extract(accessible)) return idle.mapped();
  void* mapping = mmap(nullptr, accessible + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  std::byte* first = static_cast<std::byte*>(mapping) + page;
  if (accessible > 0 && mprotect(first, accessible, PROT_READ | PROT_WRITE) != 0) {
    throw std::system_error(errno, std::generic_category(), "mprotect");
  }
  return first;
}

}  // namespace

GuardedBuffer::GuardedBuffer(size_t bytes, Guard guard, size_t alignment) : size_(bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t slack = std::getenv("TAPCONV_TEST_UNDER_QEMU") != nullptr ? page : 0;
  const size_t accessible = (bytes + page - 1) / page * page + slack;
  accessible_ = {map_between_guards(accessible, page), accessible};
  const size_t offset = guard == Guard::before ? 0 : (accessible - slack - bytes) / alignment * alignment;
  data_ = accessible_.data() + offset;
  std::byte* const end = accessible_.data() + accessible;
  std::fill(accessible_.data(), data_, margin);
  std::fill(data_, data_ + size_, not_a_number);
  std::fill(data_ + size_, end, margin);
}

GuardedBuffer::~GuardedBuffer() {
  if (accessible_.size() <= largest_idle_mapping) {
    idle_mappings().emplace(accessible_.size(), accessible_.data());
  } else {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    munmap(accessible_.data() - page, accessible_.size() + 2 * page);
  }
}

bool GuardedBuffer::margins_intact() const {
  const auto untouched = [](const std::byte* first, const std::byte* last) {
    return std::all_of(first, last, [](std::byte byte) { return byte == margin; });
  };
  const std::byte* end = accessible_.data() + accessible_.size();
  return untouched(accessible_.data(), data_) && untouched(data_ + size_, end);
}

}  // namespace tapconv::kernels::test
