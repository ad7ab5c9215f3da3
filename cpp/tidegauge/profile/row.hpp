#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/buffer.hpp"
#include "tidegauge/arrow/builder.hpp"

namespace tidegauge {

/// One cell of a row. Texts, bytes and embeddings lie in the row's heap, from `at` on: their size, as bytes
/// or floats, in 8 bytes, and they themselves.
struct Cell {
  arrow::Content content = arrow::Content::absent;
  arrow::TimeUnit unit = arrow::TimeUnit::none;  // time, duration
  union {
    double real;
    int64_t integer = 0;  // also boolean, time, duration
    size_t at;
  };
};

inline std::string_view text_at(const char* heap, size_t at) {
  return {heap + at + 8, arrow::load<size_t>(heap + at, 0)};
}

inline arrow::Shape shape_of(const Cell& cell, const char* heap) {
  const bool wide = cell.content == arrow::Content::embedding;
  return {cell.content, cell.unit, wide ? static_cast<int32_t>(arrow::load<size_t>(heap + cell.at, 0)) : 0};
}

/// The bytes of a row: where its heap begins, a slot of 8 bytes for each column, a tag for each. So a row of
/// 20 columns is four cache lines in a sequence, whatever it holds: what writes it waits for none of them.
struct RowLayout {
  size_t n_columns = 0;

  size_t n_words() const { return 1 + n_columns + (n_columns + 7) / 8; }
  size_t n_bytes() const { return 8 * n_words(); }
  size_t slot(size_t place) const { return 8 * (1 + place); }
  size_t tag(size_t place) const { return slot(n_columns) + place; }

  Cell cell(const char* row, size_t place) const {
    const auto tag_of = static_cast<uint8_t>(row[tag(place)]);
    Cell cell;
    cell.content = static_cast<arrow::Content>(tag_of & 15);
    cell.unit = static_cast<arrow::TimeUnit>(tag_of >> 4);
    std::memcpy(&cell.integer, row + slot(place), 8);
    return cell;
  }
};

/// One row on its way into a stage, reused for the next.
class Row {
 public:
  struct Name {
    size_t at, size;
  };

  explicit Row(size_t n_columns) : layout_{n_columns}, words_(layout_.n_words()) {}

  arrow::Buffer heap;
  arrow::Buffer names;        // of fields that are no columns of the stage
  std::vector<Name> unknown;  // each of them, in `names`

  bool has(size_t place) const { return bytes()[layout_.tag(place)] != 0; }
  Cell cell(size_t place) const { return layout_.cell(bytes(), place); }
  void put(size_t place, const Cell& cell) {
    words_[1 + place] = static_cast<uint64_t>(cell.integer);
    const auto tag = static_cast<uint8_t>(cell.content) | static_cast<uint8_t>(cell.unit) << 4;
    reinterpret_cast<uint8_t*>(words_.data())[layout_.tag(place)] = static_cast<uint8_t>(tag);
  }

  const char* bytes() const { return reinterpret_cast<const char*>(words_.data()); }
  std::string_view name(const Name& name) const { return {names.data() + name.at, name.size}; }

  /// All cells absent; gives memory back that a huge row took.
  void clear() {
    constexpr size_t kKeep = size_t{1} << 16;
    std::memset(words_.data() + 1 + layout_.n_columns, 0, layout_.n_bytes() - layout_.tag(0));
    heap.clear(kKeep);
    names.clear(kKeep);
    unknown.clear();
  }

 private:
  RowLayout layout_;
  std::vector<uint64_t> words_;
};

/// Rows one after the other, as they came.
class RowLog {
 public:
  explicit RowLog(size_t n_columns) : layout_{n_columns} {}

  int64_t n_rows() const { return static_cast<int64_t>(rows_.size() / layout_.n_bytes()); }
  const RowLayout& layout() const { return layout_; }
  const char* row(int64_t i) const { return rows_.data() + static_cast<size_t>(i) * layout_.n_bytes(); }
  const char* heap(const char* row) const { return heap_.data() + arrow::load<size_t>(row, 0); }

  void add(const Row& row) {
    const size_t begin = heap_.size();
    heap_.put(row.heap.data(), row.heap.size());
    char* to = nullptr;
    try {
      to = rows_.make_room(layout_.n_bytes());
    } catch (...) {
      heap_.truncate(begin);
      throw;
    }
    std::memcpy(to, row.bytes(), layout_.n_bytes());
    std::memcpy(to, &begin, 8);
  }

  size_t capacity() const { return rows_.capacity() + heap_.capacity(); }
  void clear(size_t keep_at_most) {
    rows_.clear(keep_at_most);
    heap_.clear(keep_at_most);
  }

 private:
  RowLayout layout_;
  arrow::Buffer rows_, heap_;
};

}  // namespace tidegauge
