#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace tidegauge::arrow {

/// What a taken batch points into: its own buffers, and the old batch where it shares any of its memory.
class Memory {
 public:
  explicit Memory(std::shared_ptr<void> old) : old_(std::move(old)) {}

  /// Room for n * each values, uninitialised.
  template <class T>
  T* make(int64_t n, int64_t each = 1) {
    int64_t size = 0;
    // GCOVR_EXCL_BR_START: no test has as many rows as it takes
    if (__builtin_mul_overflow(n, each, &size) ||
        __builtin_mul_overflow(size, static_cast<int64_t>(sizeof(T)), &size)) {
      // GCOVR_EXCL_BR_STOP
      throw std::bad_alloc();
    }
    buffers_.push_back(allocate(static_cast<size_t>(size)));
    return static_cast<T*>(buffers_.back().get());
  }

 private:
  struct Free {
    void operator()(void* buffer) const { std::free(buffer); }
  };
  using Buffer = std::unique_ptr<void, Free>;

  /// Large buffers ask for large pages: the faults of small ones take longer than gathering a million rows.
  static Buffer allocate(size_t size) {
    constexpr size_t kLargePage = size_t{1} << 21, kLine = 64;
    const size_t alignment = size >= 2 * kLargePage ? kLargePage : kLine;
    const size_t whole = (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment;
    Buffer buffer(std::aligned_alloc(alignment, whole));
    if (!buffer) throw std::bad_alloc();
    if (alignment == kLargePage) madvise(buffer.get(), whole, MADV_HUGEPAGE);  // advice: it may be ignored
    return buffer;
  }

  std::vector<Buffer> buffers_;
  std::shared_ptr<void> old_;
};

}  // namespace tidegauge::arrow
