#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tidegauge/arrow/c_data.hpp"

namespace tidegauge::fuzz {

/// Choices read from fuzzed bytes; zeros when they are used up, which choose what is plain and valid.
class Feed {
 public:
  explicit Feed(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint8_t byte() { return at_ < bytes_.size() ? static_cast<uint8_t>(bytes_[at_++]) : uint8_t{0}; }
  size_t below(size_t bound) { return byte() % bound; }
  uint64_t number() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

/// A table in C Data structures, made from fuzzed bytes. Its memory is honest: every buffer has exactly the
/// bytes that the numbers beside it imply, so that under AddressSanitizer any read past one is a defect of
/// the reader; a buffer that would have to be larger than kMostBuffer is NULL, which can be seen. With
/// faults, numbers and pointers are wrong here and there; without, the table is valid, and traps lie where
/// nobody may look: before an offset, below a null.
class Table {
 public:
  Table(Feed& feed, bool with_faults);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  ArrowSchema schema{};
  ArrowArray array{};
  int n_released = 0;           // times that the array was
  bool released_child = false;  // which only its parent may do

 private:
  static constexpr int64_t kMostBuffer = int64_t{1}
                                         << 17;  // what the widest values of the longest valid table take
  struct Made {
    ArrowSchema* schema;
    ArrowArray* array;
  };

  bool fault();
  int64_t wrong(int64_t right);
  char* keep(int64_t size);
  char* text(const std::string& text);
  template <class T>
  T** pointers(int64_t n);
  template <class T>
  char* numbers(int64_t n, T (*of)(Feed&));

  Made column(int64_t n_rows, int depth);
  Made values(int64_t length, int depth, bool plain);
  void fixed(Made made, int64_t width);
  void texts(Made made, int64_t width);
  void views(Made made);
  void dictionary(Made made, int depth);
  void list(Made made);
  void runs(Made made, int depth);
  void nested(Made made, int depth);
  Made node(const std::string& format, int64_t length);
  void set_buffers(ArrowArray& to, std::span<const void* const> buffers);
  void set_children(Made made, std::span<const Made> children);
  void bend(Made made);

  Feed& feed_;
  bool with_faults_;
  int fault_from_;  // a byte of at least this makes one
  std::deque<ArrowSchema> schemas_;
  std::deque<ArrowArray> arrays_;
  std::deque<std::unique_ptr<char[]>> memory_;
  std::deque<std::unique_ptr<void*[]>> pointers_;
};

}  // namespace tidegauge::fuzz
