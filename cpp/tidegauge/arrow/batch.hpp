#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "tidegauge/arrow/c_data.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// The columns a producer announced, in its order; two may share a name (who profiles them decides). `root`
/// is false when the producer sent one plain array, not a table: then the schema has one field.
struct Schema {
  std::vector<Field> fields;
  bool root = true;

  /// Parses and checks a schema, leaving ownership with the caller and keeping no pointer into it. At most 64
  /// levels and 10,000 nodes. Throws ArrowError.
  static Schema parse(const ArrowSchema& schema);
};

/// One record batch, owned: releases the producer's array when the last copy goes.
/// Everything that can be checked without reading a row has been checked when parse() returns. Columns of
/// kind unsupported are listed with their length and nothing else of them is read.
class Batch {
 public:
  /// Moves `array` in (its release becomes null), also when this throws ArrowError.
  static Batch parse(ArrowArray* array, std::shared_ptr<const Schema> schema);

  /// Memory of our own process as a batch: `owner` keeps what the views point to alive.
  static Batch borrow(std::shared_ptr<const Schema> schema, std::vector<ColumnView> columns, int64_t n_rows,
                      std::shared_ptr<void> owner);

  /// Batches of one column and equal length, side by side under the names of the fields. Throws SchemaError.
  static Batch combine(std::vector<std::pair<Field, Batch>> columns);

  /// Rows [begin, begin + n), sharing the memory. Throws SchemaError if they are not all there.
  Batch slice(int64_t begin, int64_t n) const;

  /// The rows of these numbers in this order, repeated where a number is, in memory of their own;
  /// dictionaries and the text behind views stay shared. Runs become dictionary codes. Throws SchemaError for
  /// a row that is not there, ArrowError as check_rows does.
  Batch take(std::span<const int64_t> rows) const;

  int64_t n_rows() const { return n_rows_; }
  const Schema& schema() const { return *schema_; }
  const std::vector<ColumnView>& columns() const { return columns_; }

  /// Reads every offset, code, view and run end of column i once and throws ArrowError, naming column,
  /// buffer, value and limit, if any points outside its buffer. Call before the first row of a batch is used,
  /// so that a refused batch changes nothing.
  void check_rows(size_t i) const;

  /// The same batch after check_rows of every column; neither it nor its slices check them again, which for
  /// many small slices over one dictionary would be most of the work.
  Batch checked() const;

 private:
  std::shared_ptr<const Schema> schema_;
  std::shared_ptr<void> owner_;
  std::vector<ColumnView> columns_;
  int64_t n_rows_ = 0;
  bool rows_checked_ = false;
};

}  // namespace tidegauge::arrow
