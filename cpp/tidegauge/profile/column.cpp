#include "tidegauge/profile/column.hpp"

#include <algorithm>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/profile/boolean_column.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/counted_column.hpp"
#include "tidegauge/profile/embedding_column.hpp"
#include "tidegauge/profile/number_column.hpp"

namespace tidegauge {
namespace {

/// Rows at a time: what is counted for one array alone is counted in 32 bits.
constexpr int64_t kMaxPiece = int64_t{1} << 31;

}  // namespace

Scratch& thread_scratch() {
  thread_local std::unique_ptr<Scratch> mine;
  if (!mine) mine = std::make_unique<Scratch>();
  return *mine;
}

void Homes::merge(const Homes& other) {
  n_rows += other.n_rows;
  n_absent += other.n_absent;
  n_null += other.n_null;
  n_mistyped += other.n_mistyped;
  n_nan += other.n_nan;
  n_pos_inf += other.n_pos_inf;
  n_neg_inf += other.n_neg_inf;
}

void Homes::encode(ByteWriter& out) const {
  for (const uint64_t n : {n_rows, n_absent, n_null, n_mistyped, n_nan, n_pos_inf, n_neg_inf})
    out.put_varint(n);
}

Homes Homes::decode(ByteReader& in) {
  Homes h;
  uint64_t left = 0;
  bool first = true;
  for (uint64_t* n :
       {&h.n_rows, &h.n_absent, &h.n_null, &h.n_mistyped, &h.n_nan, &h.n_pos_inf, &h.n_neg_inf}) {
    *n = in.get_varint("homes");
    if (!first && *n > left) throw DecodeError("homes: more rows in them than there are rows");
    left = first ? *n : left - *n;
    first = false;
  }
  if (h.n_rows > kMaxRows) throw DecodeError("homes: more than 2^62 rows");
  return h;
}

std::unique_ptr<Column> Column::make(std::shared_ptr<const ColumnSpec> spec) {
  spec->check();
  if (spec->counted_only) return std::make_unique<CountedColumn>(std::move(spec));
  switch (spec->kind) {
    case arrow::Kind::number:
    case arrow::Kind::time:
      if (spec->state == State::f64) return std::make_unique<NumberColumn<double>>(std::move(spec));
      return std::make_unique<NumberColumn<int64_t>>(std::move(spec));
    case arrow::Kind::boolean:
      return std::make_unique<BooleanColumn>(std::move(spec));
    case arrow::Kind::category:
      return std::make_unique<CategoryColumn>(std::move(spec));
    case arrow::Kind::embedding:
      return std::make_unique<EmbeddingColumn>(std::move(spec));
    case arrow::Kind::unsupported:
      break;
  }
  return std::make_unique<CountedColumn>(std::move(spec));
}

void Column::update(const arrow::ColumnView& view, Scratch& scratch, const kernels::CellScores& scores) {
  scratch.scores = scores;
  homes_.n_rows += static_cast<uint64_t>(view.length);
  if (view.absent || view.mistyped) {  // they come below as nulls, which is put right beforehand
    const auto n_absent = static_cast<uint64_t>(arrow::count_bits(view.absent, view.offset, view.length));
    const auto n_mistyped = static_cast<uint64_t>(arrow::count_bits(view.mistyped, view.offset, view.length));
    homes_.n_absent += n_absent;
    homes_.n_mistyped += n_mistyped;
    homes_.n_null -= n_absent + n_mistyped;
  }
  if (view.type.null_type) {
    homes_.n_null += static_cast<uint64_t>(view.length);
  } else if (accepts(view.type)) {
    if (view.length <= kMaxPiece) return update_values(view, scratch);
    for (int64_t begin = 0; begin < view.length; begin += kMaxPiece) {
      const int64_t n = std::min(kMaxPiece, view.length - begin);
      update_values(view.slice(begin, n), scratch);
      if (scores.of_cell) scratch.scores.out += n;
    }
  } else if (view.type.kind == arrow::Kind::unsupported) {
    homes_.n_mistyped += static_cast<uint64_t>(view.length);
  } else {
    for (int64_t begin = 0; begin < view.length; begin += kTile) {
      const int64_t n = std::min<int64_t>(kTile, view.length - begin);
      const int64_t valid = arrow::read_validity(view, begin, n, scratch.words);
      homes_.n_null += static_cast<uint64_t>(n - valid);
      homes_.n_mistyped += static_cast<uint64_t>(valid);
    }
  }
}

void Column::add_absent(uint64_t n_rows) {
  homes_.n_rows += n_rows;
  homes_.n_absent += n_rows;
}

std::shared_ptr<const ColumnSpec> Column::attached(const ColumnSpec& from) const {
  auto attached = std::make_shared<ColumnSpec>(spec());
  attached->edges_f64 = from.edges_f64;
  attached->edges_i64 = from.edges_i64;
  attached->categories = from.categories;
  attached->check();
  size_t wanted = 0;
  if (from.edges_f64) wanted = from.edges_f64->values.size() + 1;
  if (from.edges_i64) wanted = from.edges_i64->values.size() + 1;
  if (from.categories) wanted = from.categories->n_cells();
  if (n_cells() != wanted) {
    throw DecodeError("column '" + spec().name + "': counts " + std::to_string(n_cells()) +
                      " cells where its edges make " + std::to_string(wanted));
  }
  return attached;
}

void Column::check_mergeable(const Column& other) const {
  spec().check_mergeable(other.spec());
  if (n_cells() != other.n_cells()) {  // equal ids: one of them was read from forged bytes
    throw MergeError("column '" + spec().name + "': the two sides count different numbers of cells");
  }
}

void Column::merge(const Column& other) {
  homes_.merge(other.homes_);
  merge_values(other);
}

void Column::encode(ByteWriter& out) const {
  homes_.encode(out);
  encode_values(out);
}

std::unique_ptr<Column> Column::decode(std::shared_ptr<const ColumnSpec> spec, ByteReader& in) {
  auto column = make(std::move(spec));
  column->homes_ = Homes::decode(in);
  column->decode_values(in);
  return column;
}

}  // namespace tidegauge
