#pragma once

#include <cstdint>
#include <optional>

#include "tidegauge/arrow/builder.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/profile/row.hpp"

namespace tidegauge {

/// One column of a stage: as what its values are written.
class StagedColumn {
 public:
  /// A column that keeps the type of its first value.
  StagedColumn() = default;
  /// A column of a profile: values become what the profile keeps of them, or are mistyped.
  explicit StagedColumn(const ColumnSpec& spec);

  bool is_free() const { return plan_ == Plan::free; }
  arrow::Builder builder() const { return arrow::Builder(shape_); }

  /// Adds the cells of rows at a place, as rows from `at` on. A free column's builder takes them.
  void put(const RowLog& rows, size_t place, int64_t at, arrow::Builder& out) const;

  /// Adds the rows of an array, at most kTile and checked, as rows from `at` on; see put above.
  void put(const arrow::ColumnView& view, int64_t at, arrow::Builder& out, Scratch& scratch) const;

 private:
  enum class Plan : uint8_t { free, real, integer, time, boolean, category, embedding, counted };
  static Plan plan_of(const arrow::Shape& shape);
  void put(const Cell& cell, const char* heap, int64_t at, arrow::Builder& out) const;
  static void put_free(const Cell& cell, const char* heap, int64_t at, arrow::Builder& out);
  static bool accepts(const arrow::Type& type, Plan plan, const arrow::Shape& shape);

  Plan plan_ = Plan::free;
  arrow::Shape shape_;
};

/// As what a free column keeps an array of this type; nothing where that would change its values.
std::optional<arrow::Shape> free_shape(const arrow::Field& field);

}  // namespace tidegauge
