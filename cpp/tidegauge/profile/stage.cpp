#include "tidegauge/profile/stage.hpp"

#include <algorithm>
#include <functional>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/place.hpp"
#include "tidegauge/base/error.hpp"

namespace tidegauge {

using arrow::Builder;
using arrow::ColumnView;
using arrow::Content;
using arrow::Shape;

namespace {

constexpr size_t kOpenRuns = 8;                     // that rows of unlike types may still go to
constexpr int64_t kMostRunRows = int64_t{1} << 20;  // row numbers of a builder have 30 bits
constexpr size_t kNone = ~size_t{0};

/// A field that is no column of the stage, with its share of the bitmap that take() makes.
constexpr size_t kUnknownBytes = 1024;

struct HashText : std::hash<std::string_view> {
  using is_transparent = void;
};

/// Whether a run of `n_rows` rows whose free column is of this shape takes a cell: one without a value, or of
/// the same shape, which the first value decides. A column of `other` values knows no rows without one, as
/// nothing is known of them.
bool takes(const Shape& column, const Shape& cell, int64_t n_rows) {
  if (!has_value(cell.content)) return column.content != Content::other;
  if (column.content == Content::null) return cell.content != Content::other || n_rows == 0;
  return column == cell;
}

}  // namespace

/// Rows of which the free columns are of the same types. The last ones may still be as they came.
struct Stage::Run {
  struct Unknown {
    std::string name;
    std::vector<uint32_t> rows;  // that had such a field
  };

  explicit Run(RowLog rows) : log(std::move(rows)) {}

  RowLog log;
  std::vector<Shape> shapes;  // of the free columns
  std::vector<Builder> columns;
  std::vector<Unknown> unknown;
  std::unordered_map<std::string, size_t, HashText, std::equal_to<>> place_of_unknown;
  std::vector<uint8_t> absent;
  int64_t n_rows = 0;
  size_t n_unknown_bytes = 0;

  int64_t n_settled() const { return n_rows - log.n_rows(); }
  size_t n_bytes() const {
    size_t sum = n_unknown_bytes;
    for (const Builder& column : columns) sum += column.n_bytes();
    return sum;
  }

  /// Notes that rows [n_rows, n_rows + n) have such a field, as far as `has_it` says so; how many.
  template <class HasIt>
  uint64_t put_unknown(std::string_view name, int64_t n, HasIt has_it) {
    auto known = place_of_unknown.find(name);
    if (known == place_of_unknown.end()) {
      unknown.push_back({std::string(name), {}});
      known = place_of_unknown.emplace(name, unknown.size() - 1).first;
      n_unknown_bytes += 2 * name.size() + kUnknownBytes;
    }
    std::vector<uint32_t>& rows = unknown[known->second].rows;
    const size_t n_before = rows.size();
    for (int64_t i = 0; i < n; ++i) {
      if (has_it(i)) rows.push_back(static_cast<uint32_t>(n_rows + i));
    }
    n_unknown_bytes += sizeof(uint32_t) * (rows.size() - n_before);
    return rows.size() - n_before;
  }

  /// Forgets what was added past the rows that are there.
  void roll_back() {
    for (Builder& column : columns) column.truncate(n_settled());
    for (Unknown& field : unknown) {
      while (!field.rows.empty() && field.rows.back() >= n_rows) field.rows.pop_back();
    }
  }

  static arrow::Batch finish(const std::shared_ptr<Run>& run, const std::vector<std::string>& names);
};

arrow::Batch Stage::Run::finish(const std::shared_ptr<Run>& run, const std::vector<std::string>& names) {
  auto schema = std::make_shared<arrow::Schema>();
  std::vector<ColumnView> views;
  for (size_t i = 0; i < names.size(); ++i) {
    if (run->columns[i].all_absent(run->n_rows)) continue;
    schema->fields.push_back(run->columns[i].field(names[i]));
    views.push_back(run->columns[i].finish(run->n_rows));
  }
  const size_t n_bytes = (static_cast<size_t>(run->n_rows) + 7) / 8;
  run->absent.assign(n_bytes * run->unknown.size(), 0xff);
  uint8_t* absent = run->absent.data();
  for (const auto& [name, rows] : run->unknown) {
    if (rows.empty()) continue;
    Builder nothing;
    schema->fields.push_back(nothing.field(name));
    views.push_back(nothing.finish(run->n_rows));
    views.back().absent = absent;
    for (const uint32_t row : rows) {
      absent[row >> 3] = static_cast<uint8_t>(absent[row >> 3] & ~(1u << (row & 7)));
    }
    absent += n_bytes;
  }
  return arrow::Batch::borrow(std::move(schema), std::move(views), run->n_rows, run);
}

Stage::Stage(const std::vector<std::shared_ptr<const ColumnSpec>>& specs,
             const std::vector<std::string>& free, int64_t max_rows, int64_t max_bytes)
    : max_rows_(max_rows), max_bytes_(static_cast<size_t>(max_bytes)), spare_(0) {
  if (max_rows < 1 || max_rows > kMostRunRows || max_bytes < 1) {
    throw SchemaError("stage: max_rows is " + std::to_string(max_rows) + " and max_bytes " +
                      std::to_string(max_bytes) + ", allowed are 1 to " + std::to_string(kMostRunRows) +
                      " rows and 1 byte or more");
  }
  for (const auto& spec : specs) {
    names_.push_back(spec->name);
    columns_.emplace_back(*spec);
  }
  for (const std::string& name : free) {
    const auto place = static_cast<size_t>(std::ranges::find(names_, name) - names_.begin());
    if (place == names_.size()) {
      names_.push_back(name);
      columns_.emplace_back();
    }
    free_.push_back(place);
    columns_[place] = StagedColumn();
  }
  for (size_t i = 0; i < names_.size(); ++i) {
    if (place_of_.emplace(names_[i], i).second) continue;
    throw SchemaError("stage: column " + arrow::quoted(names_[i]) + " is named twice; name it once");
  }
  std::ranges::sort(free_);
  if (const auto twice = std::ranges::adjacent_find(free_); twice != free_.end()) {
    throw SchemaError("stage: extra column " + arrow::quoted(names_[*twice]) +
                      " is named twice; name it once");
  }
  spare_ = RowLog(columns_.size());
}

Stage::~Stage() = default;

/// The run that takes rows whose free columns have these shapes.
Stage::Run& Stage::run_for(const std::vector<Shape>& shapes, int64_t n_rows) {
  const auto fits = [&](const Run& run) {
    if (run.n_rows + n_rows > kMostRunRows) return false;
    for (size_t i = 0; i < free_.size(); ++i) {
      if (!takes(run.shapes[i], shapes[i], run.n_rows)) return false;
    }
    return true;
  };
  Run* found = current_ && fits(*current_) ? current_ : nullptr;
  size_t n_looked = 0;
  for (auto run = runs_.rbegin(); !found && run != runs_.rend() && n_looked < kOpenRuns; ++run, ++n_looked) {
    if (fits(**run)) found = run->get();
  }
  if (!found) {
    auto run = std::make_shared<Run>(std::exchange(spare_, RowLog(columns_.size())));
    run->shapes.resize(free_.size());
    run->columns.reserve(columns_.size());
    for (const StagedColumn& column : columns_) run->columns.push_back(column.builder());
    runs_.push_back(std::move(run));
    found = runs_.back().get();
    n_bytes_ += columns_.size() * sizeof(Builder);
  }
  current_ = found;
  Run& run = *found;
  for (size_t i = 0; i < free_.size(); ++i) {
    if (has_value(shapes[i].content) && run.shapes[i].content == Content::null) run.shapes[i] = shapes[i];
  }
  return run;
}

/// Turns rows as they came into columns; a column at a time, whose end stays in the nearest cache.
void Stage::settle(Run& run) const {
  const int64_t n_settled = run.n_settled();
  try {
    for (size_t i = 0; i < free_.size(); ++i) {
      Builder& column = run.columns[free_[i]];
      if (column.shape() != run.shapes[i]) column.become(run.shapes[i], n_settled);
    }
    for (size_t i = 0; i < columns_.size(); ++i) {
      run.columns[i].reserve(run.n_rows);
      columns_[i].put(run.log, i, n_settled, run.columns[i]);
    }
  } catch (...) {
    run.roll_back();
    throw;
  }
  run.log.clear(max_bytes_);
}

bool Stage::add(const Row& row) {
  const std::lock_guard guard(mutex_);
  shapes_.clear();
  for (const size_t i : free_) shapes_.push_back(shape_of(row.cell(i), row.heap.data()));
  Run& run = run_for(shapes_, 1);
  const size_t n_before = run.n_unknown_bytes;
  try {
    for (const Row::Name& name : row.unknown) {
      run.put_unknown(row.name(name), 1, [](int64_t) { return true; });
    }
    run.log.add(row);
  } catch (...) {
    run.roll_back();
    throw;
  }
  n_bytes_ += 8 * columns_.size() + row.heap.size() + row.names.size() + run.n_unknown_bytes - n_before;
  n_unknown_ += row.unknown.size();
  ++run.n_rows;
  ++n_rows_;
  return is_due();
}

std::optional<bool> Stage::add(const arrow::Batch& batch) {
  const auto& fields = batch.schema().fields;
  if (batch.n_rows() > kMostRows) return {};
  const std::lock_guard guard(mutex_);
  if (batch.n_rows() == 0) return is_due();
  if (!scratch_) scratch_ = std::make_unique<Scratch>();
  places_.resize(fields.size(), kNone);
  std::vector<bool> seen(columns_.size());
  std::vector<std::string_view> unknown;
  shapes_.assign(free_.size(), {.content = Content::absent});
  for (size_t i = 0; i < fields.size(); ++i) {
    size_t& place = places_[i];
    if (place >= names_.size() || names_[place] != fields[i].name) {  // batches mostly are like the last one
      const auto known = place_of_.find(fields[i].name);
      place = known == place_of_.end() ? kNone : known->second;
    }
    if (place == kNone) {
      unknown.push_back(fields[i].name);
      continue;
    }
    if (seen[place]) return {};
    seen[place] = true;
    batch.check_rows(i);
    if (!columns_[place].is_free()) continue;
    const auto shape = free_shape(fields[i]);
    if (!shape) return {};
    shapes_[static_cast<size_t>(std::ranges::lower_bound(free_, place) - free_.begin())] = *shape;
  }
  std::ranges::sort(unknown);
  if (std::ranges::adjacent_find(unknown) != unknown.end()) return {};

  Run& run = run_for(shapes_, batch.n_rows());
  settle(run);
  if (run.n_rows == 0 && runs_.size() == 1) {
    for (Builder& column : run.columns) column.reserve(n_expected_);
  }
  const size_t n_before = run.n_bytes();
  uint64_t n_unknown = 0;
  try {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (seen[i]) continue;
      for (int64_t row = 0; row < batch.n_rows(); ++row) {
        run.columns[i].add_without(Content::absent, run.n_rows + row);
      }
    }
    for (size_t i = 0; i < fields.size(); ++i) {
      if (places_[i] == kNone) {
        const ColumnView& view = batch.columns()[i];
        n_unknown += run.put_unknown(fields[i].name, batch.n_rows(), [&](int64_t row) {
          return !view.absent || !arrow::test_bit(view.absent, view.offset + row);
        });
      } else {
        columns_[places_[i]].put(batch.columns()[i], run.n_rows, run.columns[places_[i]], *scratch_);
      }
    }
  } catch (...) {
    run.roll_back();
    throw;
  }
  const size_t n_added = run.n_bytes() - n_before;
  if (n_added > max_bytes_) {
    run.roll_back();
    return {};
  }
  run.n_rows += batch.n_rows();
  n_rows_ += batch.n_rows();
  n_bytes_ += n_added;
  n_unknown_ += n_unknown;
  return is_due();
}

std::vector<arrow::Batch> Stage::take() {
  std::list<std::shared_ptr<Run>> runs;
  size_t n_bytes = 0;
  {
    const std::lock_guard guard(mutex_);
    runs.swap(runs_);
    n_expected_ = std::exchange(n_rows_, 0);
    n_bytes = std::exchange(n_bytes_, 0);
    current_ = nullptr;
  }
  std::vector<arrow::Batch> batches;
  try {
    for (const auto& run : runs) {
      settle(*run);
      if (run->n_rows > 0) batches.push_back(Run::finish(run, names_));
    }
  } catch (...) {  // no memory: they wait on
    const std::lock_guard guard(mutex_);
    for (const auto& run : runs) n_rows_ += run->n_rows;
    n_bytes_ += n_bytes;
    runs_.splice(runs_.begin(), runs);
    throw;
  }
  const std::lock_guard guard(mutex_);
  for (const auto& run : runs) {
    if (run->log.capacity() > spare_.capacity()) std::swap(run->log, spare_);
  }
  return batches;
}

int64_t Stage::n_rows() const {
  const std::lock_guard guard(mutex_);
  return n_rows_;
}

uint64_t Stage::n_unknown() const {
  const std::lock_guard guard(mutex_);
  return n_unknown_;
}

}  // namespace tidegauge
