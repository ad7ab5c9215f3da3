#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace tidegauge::arrow {

/// Bytes that are written one after the other. Unlike a vector it grows through realloc, which moves large
/// blocks by their pages, and never writes what nobody asked for.
class Buffer {
 public:
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  template <class T>
  void put(T value) {
    std::memcpy(make_room(sizeof(T)), &value, sizeof(T));
  }
  void put(const void* bytes, size_t n) {
    char* to = make_room(n);
    if (n > 0) std::memcpy(to, bytes, n);
  }
  void put_zeros(size_t n) {
    char* to = make_room(n);
    if (n > 0) std::memset(to, 0, n);
  }

  /// Overwrites what was put at `at`.
  template <class T>
  void write_at(size_t at, T value) {
    std::memcpy(data_.get() + at, &value, sizeof(T));
  }

  /// Room for `n` bytes more, for the caller to write.
  char* make_room(size_t n) {
    if (n > capacity_ - size_) reserve(std::max(size_ + n, 2 * capacity_));
    char* at = data_.get() + size_;
    size_ += n;
    return at;
  }

  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    void* grown = std::realloc(data_.get(), capacity);
    if (!grown) throw std::bad_alloc();
    static_cast<void>(data_.release());
    data_.reset(static_cast<char*>(grown));
    capacity_ = capacity;
  }

  void truncate(size_t size) { size_ = size; }

  /// Gives memory back that one huge value made it take.
  void clear(size_t keep_at_most) {
    size_ = 0;
    if (capacity_ <= keep_at_most) return;
    data_.reset();
    capacity_ = 0;
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace tidegauge::arrow
