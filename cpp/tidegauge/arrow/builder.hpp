#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegauge/arrow/buffer.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// What one cell of a row holds. The first three are rows without a value; `other` is a value that no column
/// can hold.
enum class Content : uint8_t {
  absent,
  null,
  mistyped,
  real,
  integer,
  boolean,
  text,
  bytes,
  time,      // since 1970-01-01 UTC
  duration,  // like time, but of no date
  embedding,
  other,
};

inline bool has_value(Content content) { return content > Content::mistyped; }

/// The type of a column as a builder knows it; null where no value has come yet.
struct Shape {
  Content content = Content::null;
  TimeUnit unit = TimeUnit::none;  // time, duration
  int32_t width = 0;               // embedding

  bool operator==(const Shape&) const = default;
};

/// A column that is written row by row, in the widest type of its kind: float64, int64, 64-bit offsets. A row
/// without a value costs its place and 4 bytes, so columns that have a value in every row pay nothing for the
/// others. Not thread-safe. Where memory runs out it throws bad_alloc and may hold a row too many:
/// truncate().
class Builder {
 public:
  Builder() = default;
  explicit Builder(const Shape& shape) { become(shape, 0); }

  const Shape& shape() const { return shape_; }
  /// Turns a column of `n_rows` rows without values into one of this shape.
  void become(const Shape& shape, int64_t n_rows);

  // Row `n_rows`, of the column's own shape. For reals, integers and booleans (0 or 1), times and durations;
  // for texts and bytes; for embeddings.
  void add(double value) { numbers_.put(value); }
  void add(int64_t value) { numbers_.put(value); }
  void add(std::string_view text) {
    text_.put(text.data(), text.size());
    numbers_.put(static_cast<int64_t>(text_.size()));
  }
  void add(std::span<const double> floats) { numbers_.put(floats.data(), floats.size_bytes()); }
  /// A row of nothing that is looked at: of a column of `other` values, or of one that is only counted.
  void add() {}
  /// A row that is absent, null or mistyped.
  void add_without(Content why, int64_t n_rows);
  /// `n` values of 8 bytes each, at once.
  void add_all(const void* values, size_t n) { numbers_.put(values, 8 * n); }

  void truncate(int64_t n_rows);
  /// Room for that many rows; texts find theirs as they come.
  void reserve(int64_t n_rows);
  size_t n_bytes() const { return numbers_.size() + text_.size() + 4 * without_.size(); }
  bool all_absent(int64_t n_rows) const;

  // The column, which lives as long as this builder and until the next change of it.
  Field field(std::string name) const;
  ColumnView finish(int64_t n_rows);

 private:
  bool is_text() const { return shape_.content == Content::text || shape_.content == Content::bytes; }
  size_t row_size() const;

  Shape shape_;
  Buffer numbers_;  // values; of texts where each row ends; of embeddings their floats
  Buffer text_;
  std::vector<uint32_t> without_;                          // rows without a value: 4 * row + content
  std::vector<uint8_t> bits_, valid_, absent_, mistyped_;  // made by finish()
};

}  // namespace tidegauge::arrow
