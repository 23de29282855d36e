// Memory of an exact size with inaccessible pages around it, so that a read or a write outside ends the process.
#pragma once

#include <cstddef>
#include <span>

namespace tapconv::kernels::test {

// Which end of the buffer touches an inaccessible page. The other end is as near as whole pages allow, and the bytes
// between are watched for writes by `margins_intact`.
enum class Guard { before, after };

// With TAPCONV_TEST_UNDER_QEMU in the environment, a page of margin lies in between: qemu reads the whole operand of a
// masked load, as no processor does.
class GuardedBuffer {
 public:
  // `bytes` of 0xFF, which is NaN in every floating-point type. `alignment` is a power of two of at most one page; with
  // Guard::after it may leave up to alignment - 1 bytes between the buffer and the page.
  GuardedBuffer(size_t bytes, Guard guard, size_t alignment = 1);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  void* data() { return data_; }
  std::span<std::byte> bytes() { return {data_, size_}; }

  // False when something wrote between the buffer and an inaccessible page.
  bool margins_intact() const;

 private:
  std::span<std::byte> accessible_;
  std::byte* data_;
  size_t size_;
};

}  // namespace tapconv::kernels::test
