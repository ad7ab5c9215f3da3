#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tidegauge/arrow/builder.hpp"
#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// One cell of a row. Texts, bytes and embeddings lie in the row's own buffers, from `at` on.
struct Cell {
  arrow::Content content = arrow::Content::absent;
  arrow::TimeUnit unit = arrow::TimeUnit::none;  // time, duration
  uint32_t width = 0;                            // embedding: floats
  union {
    double real;
    int64_t integer = 0;  // also boolean, time, duration
    size_t at;
  };
  size_t size = 0;  // bytes of a text

  arrow::Shape shape() const { return {content, unit, static_cast<int32_t>(width)}; }
};

/// One row on its way into a stage, reused for the next.
struct Row {
  struct Name {
    size_t at, size;
  };

  std::vector<Cell> cells;  // by column of the stage
  arrow::Buffer text, floats;
  std::vector<Name> unknown;  // names of fields that are no columns of the stage, in `text`

  void clear(size_t n_columns);
  std::string_view text_of(size_t at, size_t size) const { return {text.data() + at, size}; }
};

/// One column of a stage: as what its values are written.
class StagedColumn {
 public:
  /// A column that keeps the type of its first value.
  StagedColumn() = default;
  /// A column of a profile: values become what the profile keeps of them, or are mistyped.
  explicit StagedColumn(const ColumnSpec& spec);

  bool is_free() const { return plan_ == Plan::free; }
  arrow::Builder builder() const { return arrow::Builder(shape_); }

  /// Adds a cell as row `at`. A free column's builder takes it.
  void put(const Cell& cell, const Row& row, int64_t at, arrow::Builder& out) const;

  /// Adds the rows of an array, at most kTile and checked, as rows from `at` on; see put above.
  void put(const arrow::ColumnView& view, int64_t at, arrow::Builder& out, Scratch& scratch) const;

 private:
  enum class Plan : uint8_t { free, real, integer, time, boolean, category, embedding, counted };
  static Plan plan_of(const arrow::Shape& shape);
  static void put_free(const Cell& cell, const Row& row, int64_t at, arrow::Builder& out);
  static bool accepts(const arrow::Type& type, Plan plan, const arrow::Shape& shape);

  Plan plan_ = Plan::free;
  arrow::Shape shape_;
};

/// As what a free column keeps an array of this type; nothing where that would change its values.
std::optional<arrow::Shape> free_shape(const arrow::Field& field);

}  // namespace tidegauge
