#include "guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <system_error>

namespace tapconv::kernels::test {
namespace {

constexpr std::byte not_a_number{0xFF};
constexpr std::byte margin{0xA5};

}  // namespace

GuardedBuffer::GuardedBuffer(size_t bytes, Guard guard, size_t alignment) : size_(bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t accessible = (bytes + page - 1) / page * page;
  mapping_size_ = accessible + 2 * page;
  void* mapping = mmap(nullptr, mapping_size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  mapping_ = static_cast<std::byte*>(mapping);
  accessible_ = {mapping_ + page, accessible};
  if (accessible > 0 && mprotect(accessible_.data(), accessible, PROT_READ | PROT_WRITE) != 0) {
    throw std::system_error(errno, std::generic_category(), "mprotect");
  }
  const size_t offset = guard == Guard::before ? 0 : (accessible - bytes) / alignment * alignment;
  data_ = accessible_.data() + offset;
  std::fill(accessible_.begin(), accessible_.end(), margin);
  std::fill_n(data_, size_, not_a_number);
}

GuardedBuffer::~GuardedBuffer() { munmap(mapping_, mapping_size_); }

bool GuardedBuffer::margins_intact() const {
  const auto untouched = [](const std::byte* first, const std::byte* last) {
    return std::all_of(first, last, [](std::byte byte) { return byte == margin; });
  };
  const std::byte* end = accessible_.data() + accessible_.size();
  return untouched(accessible_.data(), data_) && untouched(data_ + size_, end);
}

}  // namespace tapconv::kernels::test
