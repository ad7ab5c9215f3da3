#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tidegauge/arrow/c_data.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// The columns a producer announced. `root` is false when the producer sent one plain array, not a table:
/// then the schema has one field.
struct Schema {
  std::vector<Field> fields;
  bool root = true;

  /// Parses and checks a schema, leaving ownership with the caller. Throws ArrowError.
  static Schema parse(const ArrowSchema& schema);
};

/// One record batch, owned: releases the producer's array when the last copy goes.
/// Everything that can be checked without reading a row has been checked when parse() returns.
class Batch {
 public:
  /// Moves `array` in (its release becomes null), also when this throws ArrowError.
  static Batch parse(ArrowArray* array, std::shared_ptr<const Schema> schema);

  int64_t n_rows() const { return n_rows_; }
  const Schema& schema() const { return *schema_; }
  const std::vector<ColumnView>& columns() const { return columns_; }

  /// Reads every offset, code, view and run end of column i once and throws ArrowError, naming column, buffer,
  /// value and limit, if any points outside its buffer. Call before the first row of a batch is used, so that
  /// a refused batch changes nothing.
  void check_rows(size_t i) const;

 private:
  std::shared_ptr<const Schema> schema_;
  std::shared_ptr<ArrowArray> array_;
  std::vector<ColumnView> columns_;
  int64_t n_rows_ = 0;
};

}  // namespace tidegauge::arrow
