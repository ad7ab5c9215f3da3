#include "tidegauge/profile/segmented.hpp"

#include <algorithm>
#include <limits>
#include <shared_mutex>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/take.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/parallel.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {
namespace {

/// Rows at a time: what is gathered of a column stays in the second-level cache.
constexpr int64_t kPiece = int64_t{1} << 17;

std::vector<std::shared_ptr<const ColumnSpec>> light(
    const std::vector<std::shared_ptr<const ColumnSpec>>& specs) {
  std::vector<std::shared_ptr<const ColumnSpec>> found;
  for (const auto& spec : specs) {
    auto changed = std::make_shared<ColumnSpec>(*spec);
    changed->accumulators = 0;
    found.push_back(std::move(changed));
  }
  return found;
}

size_t bytes_of_segment(const std::vector<std::shared_ptr<const ColumnSpec>>& specs, uint64_t n_rows) {
  constexpr size_t kOfAColumn = 64;    // pointers to it, and what an allocation costs
  constexpr size_t kOfASegment = 512;  // its value, of at most 256 bytes, its counts and places in tables
  size_t n = kOfASegment;
  for (const auto& spec : specs) n += kOfAColumn + Column::make(spec)->memory_bytes(n_rows);
  return n;
}

/// What of a column a counted one reads: which rows are null.
arrow::ColumnView validity_of(const arrow::ColumnView& view) {
  arrow::ColumnView validity = view;
  if (view.type.dictionary || view.type.run_end) return validity;  // nulls may lie below
  validity.type.physical = arrow::Physical::none;
  return validity;
}

}  // namespace

SegmentedProfile::SegmentedProfile(const std::vector<std::shared_ptr<const ColumnSpec>>& specs,
                                   std::shared_ptr<const joint::Spec> joint,
                                   std::vector<std::vector<std::string>> dimensions, size_t max_segments,
                                   const std::vector<std::vector<SegmentKey>>& reserved,
                                   const Outcomes& outcomes)
    : total_(specs, std::move(joint), false, outcomes.of_total, outcomes.leaves),
      light_(light(specs)),
      no_outcomes_(Profile(specs, nullptr, false, outcomes.of_segments).outcomes()),
      index_(std::move(dimensions), specs, max_segments, reserved) {
  for (size_t d = 0; d < index_.n_dimensions(); ++d) {
    dimensions_.push_back(std::make_unique<Dimension>(light_.size()));
  }
}

bool SegmentedProfile::update(const arrow::Batch& batch, unsigned n_threads) {
  const auto check = [&] {
    total_.require_whole();
    total_.check(batch);
    index_.check_rows(batch);
    no_outcomes_.prepare();
  };
  {
    const std::shared_lock inside(total_.mutex_);
    if (sealed_) return false;
    check();
    if (add(batch, n_threads, false)) return true;
  }
  const std::lock_guard alone(total_.mutex_);
  if (sealed_) return false;
  check();
  return add(batch, n_threads, true);
}

void SegmentedProfile::seal() {
  const std::lock_guard alone(total_.mutex_);
  sealed_ = true;
}

/// A checked batch. False, and nothing is added, where only who is alone can go on.
bool SegmentedProfile::add(const arrow::Batch& batch, unsigned n_threads, bool alone) {
  if (!total_.count_rows(static_cast<uint64_t>(batch.n_rows()), alone)) return false;
  total_.changing([&] {
    total_.add_rows(batch, n_threads);
    total_changed_ = true;
    if (dimensions_.empty()) return;
    for (int64_t begin = 0; begin < batch.n_rows(); begin += kPiece) {
      add_piece(batch.slice(begin, std::min(kPiece, batch.n_rows() - begin)), n_threads);
    }
  });
  return true;
}

void SegmentedProfile::add_piece(const arrow::Batch& piece, unsigned n_threads) {
  std::vector<RowGroups> groups;
  for (const auto& numbers : index_.segments_of(piece)) {
    groups.push_back(group_rows(numbers, *std::ranges::max_element(numbers) + size_t{1}));
  }
  for (size_t d = 0; d < dimensions_.size(); ++d) count_segments(*dimensions_[d], piece, groups[d]);

  const std::vector<Profile::Job> jobs = total_.jobs_of(piece.schema());
  const size_t n_columns = jobs.size();
  const auto run = [&](size_t i) {
    const auto& [from, to] = jobs[i % n_columns];
    const size_t d = i / n_columns;
    add_column(*dimensions_[d], to, from ? &piece.columns()[*from] : nullptr, groups[d]);
  };
  const auto busy = [&](size_t i) -> std::mutex& {
    auto& locks = dimensions_[i / n_columns]->busy;
    return locks[i % n_columns % std::size(locks)];
  };
  n_threads = threads_for(static_cast<uint64_t>(piece.n_rows()), n_columns, n_threads);
  for_each_free(n_columns * dimensions_.size(), n_threads, busy, run);
  if (no_outcomes_.empty()) return;
  const joint::Rows rows(piece, no_outcomes_.columns());
  for (size_t d = 0; d < dimensions_.size(); ++d) add_outcomes(*dimensions_[d], rows, groups[d]);
}

/// The rows of each segment, and what of its profile is not in its columns.
void SegmentedProfile::count_segments(Dimension& dimension, const arrow::Batch& piece,
                                      const RowGroups& groups) {
  const std::lock_guard lock(dimension.segments_busy);
  if (dimension.segments.size() < groups.n_numbers()) dimension.segments.resize(groups.n_numbers());
  for (size_t i = 0; i < piece.columns().size(); ++i) {
    const std::string& name = piece.schema().fields[i].name;
    if (total_.index_.contains(name)) continue;
    const arrow::ColumnView& view = piece.columns()[i];
    for (size_t g = 0; g < groups.size(); ++g) {
      const auto has_it = [&](int64_t row) {
        return !view.absent || !arrow::test_bit(view.absent, view.offset + row);
      };
      const auto n_rows = static_cast<uint64_t>(std::ranges::count_if(groups[g], has_it));
      if (n_rows > 0) add_unexpected(dimension.segments[groups.numbers[g]].unexpected, name, n_rows);
    }
  }
  for (size_t g = 0; g < groups.size(); ++g) {
    Segment& segment = dimension.segments[groups.numbers[g]];
    segment.n_rows += groups[g].size();
    segment.changed = true;
  }
}

/// One column of all segments, whose rows are gathered once, side by side.
void SegmentedProfile::add_column(Dimension& dimension, size_t c, const arrow::ColumnView* view,
                                  const RowGroups& groups) {
  auto& columns = dimension.columns[c];
  if (columns.size() < groups.n_numbers()) columns.resize(groups.n_numbers());
  for (const uint32_t number : groups.numbers) {
    if (!columns[number]) columns[number] = Column::make(light_[c]);
  }
  // The states of a thousand segments are in no near cache: what comes is fetched while the last is counted.
  const auto for_each = [&](auto f) {
    constexpr size_t kAhead = 4;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (g + 2 * kAhead < groups.size()) __builtin_prefetch(columns[groups.numbers[g + 2 * kAhead]].get());
      if (g + kAhead < groups.size()) columns[groups.numbers[g + kAhead]]->prefetch();
      f(*columns[groups.numbers[g]], g);
    }
  };
  if (!view) return for_each([&](Column& column, size_t g) { column.add_absent(groups[g].size()); });
  Scratch& scratch = thread_scratch();
  const bool is_text = light_[c]->kind == arrow::Kind::category && !light_[c]->counted_only;
  const bool is_marked = view->absent || view->mistyped;  // by nothing but a stage
  if (is_text && !is_marked && readable_as_texts(view->type)) {
    std::vector<TextFacts> facts(static_cast<size_t>(view->length));
    CategoryColumn::read_facts(*light_[c], *view, scratch, groups.places.data(), facts.data());
    return for_each([&](Column& column, size_t g) {
      static_cast<CategoryColumn&>(column).update(
          std::span(facts).subspan(groups.begins[g], groups[g].size()));
    });
  }
  arrow::Memory memory(nullptr);
  const arrow::ColumnView rows =
      arrow::take(light_[c]->counted_only ? validity_of(*view) : *view, groups.rows, memory, groups.places);
  for_each([&](Column& column, size_t g) {
    const auto begin = static_cast<int64_t>(groups.begins[g]);
    column.update(rows.slice(begin, std::ssize(groups[g])), scratch);
  });
}

/// The outcomes of all segments, whose rows are gathered as those of a column are.
void SegmentedProfile::add_outcomes(Dimension& dimension, const joint::Rows& rows, const RowGroups& groups) {
  arrow::Memory memory(nullptr);
  joint::Rows gathered(rows.n_rows());
  for (const auto& [name, column] : rows.columns()) {
    gathered.add(name, arrow::take(column, groups.rows, memory, groups.places));
  }
  const std::lock_guard lock(dimension.outcomes_busy);
  auto& outcomes = dimension.outcomes;
  if (outcomes.size() < groups.n_numbers()) outcomes.resize(groups.n_numbers());
  for (size_t g = 0; g < groups.size(); ++g) {
    auto& held = outcomes[groups.numbers[g]];
    if (!held) held = std::make_unique<joint::OutcomeSet>(no_outcomes_);
    held->update(gathered.slice(static_cast<int64_t>(groups.begins[g]), std::ssize(groups[g])));
  }
}

const joint::OutcomeSet& SegmentedProfile::outcomes(const Dimension& dimension, size_t segment) const {
  return no_outcomes_.empty() ? no_outcomes_ : *dimension.outcomes[segment];
}

Contents SegmentedProfile::contents(const Dimension& dimension, size_t segment) const {
  std::vector<const Column*> columns;
  for (const auto& each : dimension.columns) columns.push_back(each[segment].get());
  const Segment& held = dimension.segments[segment];
  const joint::OutcomeSet& counted = outcomes(dimension, segment);
  return {false, 0, held.n_rows, std::move(columns), nullptr, counted, held.unexpected};
}

std::vector<SegmentedProfile::Part> SegmentedProfile::take_changed(bool everything) {
  const auto alone = total_.lock();
  std::vector<Part> parts;
  if (everything ? total_.n_rows_ > 0 : total_changed_.load())
    parts.push_back({{}, {}, total_.n_rows_, encode(total_.contents(), false)});
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    const Dimension& dimension = *dimensions_[d];
    for (size_t s = 0; s < dimension.segments.size(); ++s) {
      const Segment& segment = dimension.segments[s];
      if (everything ? segment.n_rows == 0 : !segment.changed) continue;
      std::optional<SegmentKey> key;
      if (s != SegmentIndex::kOther) key = index_.key(d, static_cast<uint32_t>(s));
      parts.push_back({d, std::move(key), segment.n_rows, encode(contents(dimension, s), false)});
    }
  }
  total_changed_ = false;
  for (const auto& dimension : dimensions_) {
    for (Segment& segment : dimension->segments) segment.changed = false;
  }
  return parts;
}

std::vector<std::vector<uint32_t>> SegmentedProfile::segments_of(const arrow::Batch& batch) {
  const std::shared_lock inside(total_.mutex_);
  index_.check_rows(batch);
  return index_.segments_of(batch);
}

std::optional<SegmentKey> SegmentedProfile::key_of(size_t dimension, uint32_t segment) const {
  if (segment == SegmentIndex::kOther) return {};
  const std::shared_lock inside(total_.mutex_);
  return index_.key(dimension, segment);
}

size_t SegmentedProfile::n_segments() const {
  const std::lock_guard alone(total_.mutex_);
  size_t n = 0;
  for (const auto& dimension : dimensions_) {
    for (size_t s = 1; s < dimension->segments.size(); ++s) n += dimension->segments[s].n_rows > 0;
  }
  return n;
}

std::vector<uint64_t> SegmentedProfile::n_other_rows() const {
  const std::lock_guard alone(total_.mutex_);
  std::vector<uint64_t> found;
  for (const auto& dimension : dimensions_) {
    found.push_back(dimension->segments.empty() ? 0 : dimension->segments[SegmentIndex::kOther].n_rows);
  }
  return found;
}

size_t SegmentedProfile::memory_bytes() const {
  const std::lock_guard alone(total_.mutex_);
  size_t n = index_.memory_bytes() + total_.outcomes_.memory_bytes();
  if (total_.leaves_) n += total_.leaves_->memory_bytes();
  for (const auto& column : total_.columns_) n += column->memory_bytes(total_.n_rows_);
  for (const auto& dimension : dimensions_) {
    for (const Segment& segment : dimension->segments) {
      if (segment.n_rows > 0) n += bytes_of_segment(light_, segment.n_rows) + no_outcomes_.memory_bytes();
    }
  }
  return n;
}

std::unique_ptr<Profile> SegmentedProfile::segment(size_t dimension,
                                                   const std::optional<SegmentKey>& key) const {
  index_.require(dimension);
  const Dimension& held = *dimensions_[dimension];
  std::vector<std::unique_ptr<Column>> columns;
  Segment segment;
  joint::OutcomeSet counted;
  {
    const auto alone = total_.lock();
    const size_t s = key ? index_.find(dimension, *key) : SegmentIndex::kOther;
    if ((key && s == SegmentIndex::kOther) || s >= held.segments.size()) return nullptr;
    segment = held.segments[s];
    if (segment.n_rows == 0) return nullptr;
    for (const auto& each : held.columns) columns.push_back(each[s]->clone());
    counted = outcomes(held, s);
  }
  return std::unique_ptr<Profile>(new Profile(
      Profile::of(std::move(columns), segment.n_rows, std::move(segment.unexpected), std::move(counted))));
}

size_t light_profile_bytes(const std::vector<std::shared_ptr<const ColumnSpec>>& specs,
                           const std::vector<joint::OutcomeSpec>& outcomes) {
  return bytes_of_segment(light(specs), std::numeric_limits<uint32_t>::max()) +
         joint::OutcomeSet(outcomes).memory_bytes();
}

}  // namespace tidegauge
