#include "tidegauge/arrow/batch.hpp"

#include <limits>

#include "tidegauge/arrow/column.hpp"
#include "tidegauge/base/error.hpp"

namespace tidegauge::arrow {
namespace {

/// Takes the array over: the copy is released exactly once, whether or not the producer's release clears
/// itself.
std::shared_ptr<ArrowArray> take_over(ArrowArray* array) {
  auto release_and_delete = [](ArrowArray* owned) {
    // NULL only where there was no memory to count references: trust/allocations goes there.
    if (owned->release) owned->release(owned);  // GCOVR_EXCL_BR_LINE
    delete owned;                               // GCOVR_EXCL_BR_LINE: asks for null itself
  };
  std::shared_ptr<ArrowArray> taken(new ArrowArray{}, release_and_delete);
  *taken = *array;
  array->release = nullptr;
  return taken;
}

}  // namespace

Batch Batch::parse(ArrowArray* array, std::shared_ptr<const Schema> schema) {
  const Place table;
  if (!array || !array->release) refuse(table, "array is already consumed: release is NULL");
  const std::shared_ptr<ArrowArray> taken = take_over(array);
  Batch batch;
  batch.n_rows_ = taken->length;
  batch.schema_ = std::move(schema);
  batch.owner_ = taken;
  const std::vector<Field>& fields = batch.schema_->fields;
  check_counts(*taken, table);
  if (!batch.schema_->root) {
    batch.columns_.push_back(parse_column(taken.get(), fields[0], Place{&table, "column", fields[0].name}));
    return batch;
  }

  check_shape(*taken, static_cast<int64_t>(fields.size()), 1, 1, table);
  if (taken->dictionary) refuse(table, "dictionary is given, but the schema has none");
  const auto* validity = taken->length ? static_cast<const uint8_t*>(taken->buffers[0]) : nullptr;
  if (taken->null_count > 0 && !validity) {
    refuse(table, "null_count is " + std::to_string(taken->null_count) + ", but the validity buffer is NULL");
  }
  batch.columns_.reserve(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    const Place place{&table, "column", fields[i].name};
    ColumnView view = parse_column(taken->children[i], fields[i], place);
    if (view.type.kind != Kind::unsupported) {
      const int64_t needed = taken->length ? taken->offset + taken->length : 0;
      require_between(place, "length", view.length, needed, std::numeric_limits<int64_t>::max());
      // Row i of the table is row offset + i of the child, on top of the child's own offset.
      // Of no rows both may be anything, so that their sum may not fit.
      view.offset = taken->length ? view.offset + taken->offset : 0;
    }
    view.length = taken->length;
    view.parent_validity = validity;
    view.parent_offset = taken->offset;
    batch.columns_.push_back(std::move(view));
  }
  return batch;
}

Batch Batch::borrow(std::shared_ptr<const Schema> schema, std::vector<ColumnView> columns, int64_t n_rows,
                    std::shared_ptr<void> owner) {
  if (columns.size() != schema->fields.size()) {
    throw SchemaError("batch: " + std::to_string(columns.size()) + " columns for " +
                      std::to_string(schema->fields.size()) + " fields; give one each");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].length == n_rows) continue;
    throw SchemaError("column " + quoted(schema->fields[i].name) + " has " +
                      std::to_string(columns[i].length) + " rows, the table has " + std::to_string(n_rows) +
                      "; make them equally long");
  }
  Batch batch;
  batch.schema_ = std::move(schema);
  batch.columns_ = std::move(columns);
  batch.owner_ = std::move(owner);
  batch.n_rows_ = n_rows;
  return batch;
}

Batch Batch::combine(std::vector<std::pair<Field, Batch>> columns) {
  auto schema = std::make_shared<Schema>();
  auto owners = std::make_shared<std::vector<std::shared_ptr<void>>>();
  std::vector<ColumnView> views;
  for (auto& [field, batch] : columns) {
    if (batch.columns_.size() != 1) {
      throw SchemaError("column " + quoted(field.name) + " comes as a batch of " +
                        std::to_string(batch.columns_.size()) +
                        " columns; combine batches of one column each");
    }
    views.push_back(std::move(batch.columns_[0]));
    owners->push_back(std::move(batch.owner_));
    schema->fields.push_back(std::move(field));
  }
  const int64_t n_rows = views.empty() ? 0 : views[0].length;
  return borrow(std::move(schema), std::move(views), n_rows, std::move(owners));
}

Batch Batch::slice(int64_t begin, int64_t n) const {
  if (begin < 0 || n < 0 || begin > n_rows_ || n > n_rows_ - begin) {
    throw SchemaError("slice of " + std::to_string(n) + " rows from row " + std::to_string(begin) +
                      " on: the batch has " + std::to_string(n_rows_) + " rows");
  }
  Batch part = *this;
  part.n_rows_ = n;
  for (ColumnView& view : part.columns_) view = view.slice(begin, n);
  return part;
}

void Batch::check_rows(size_t i) const {
  if (rows_checked_) return;
  const Place table;
  arrow::check_rows(columns_[i], Place{&table, "column", schema_->fields[i].name});
}

Batch Batch::checked() const {
  for (size_t i = 0; i < columns_.size(); ++i) check_rows(i);
  Batch same = *this;
  same.rows_checked_ = true;
  return same;
}

}  // namespace tidegauge::arrow
