#include "tidegauge/profile/segment_index.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/process_key.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {
namespace {

std::string shown(const std::vector<std::string>& dimension) {
  std::string text;
  for (const std::string& name : dimension) text += (text.empty() ? "'" : ", '") + name + "'";
  return "[" + text + "]";
}

/// Refuses a column whose values are too many to tell apart by them.
void require_segments(const ColumnSpec& spec) {
  const bool real = spec.kind == arrow::Kind::number && spec.state == State::f64;
  if (!real && spec.kind != arrow::Kind::time && spec.kind != arrow::Kind::embedding) return;
  throw SchemaError("segments: column '" + spec.name + "' holds " +
                    (real                             ? "floats"
                     : spec.kind == arrow::Kind::time ? "times"
                                                      : "embeddings") +
                    ", and segments are told apart by texts, booleans or whole numbers; make a column of "
                    "bands or classes of it");
}

}  // namespace

size_t SegmentIndex::Tuples::slot_of(const uint32_t* tuple) const {
  uint64_t hash = process_key();
  for (size_t i = 0; i < width_; ++i) hash = mix64(hash ^ tuple[i]);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at] != 0 &&
         std::memcmp(&numbers_[(slots_[at] - 1) * width_], tuple, width_ * sizeof *tuple) != 0) {
    at = (at + 1) & mask;
  }
  return at;
}

uint32_t SegmentIndex::Tuples::add(const uint32_t* tuple) {
  if (2 * (size() + 1) > slots_.size()) {
    slots_.assign(2 * slots_.size(), 0);
    for (size_t i = 0; i < size(); ++i) slots_[slot_of((*this)[i].data())] = static_cast<uint32_t>(i + 1);
  }
  const size_t slot = slot_of(tuple);
  numbers_.insert(numbers_.end(), tuple, tuple + width_);
  return slots_[slot] = static_cast<uint32_t>(size());
}

SegmentIndex::SegmentIndex(std::vector<std::vector<std::string>> dimensions,
                           std::span<const std::shared_ptr<const ColumnSpec>> specs, size_t max_segments,
                           const std::vector<std::vector<SegmentKey>>& reserved)
    : max_segments_(max_segments), n_left_(max_segments) {
  if (max_segments > kMaxSegments) {
    throw SchemaError("segments: at most " + std::to_string(max_segments) +
                      " of them are asked for; the limit is " + std::to_string(kMaxSegments));
  }
  check_dimensions(dimensions);
  for (const auto& names : dimensions) {
    Dimension dimension{{}, Tuples(names.size())};
    for (const std::string& name : names) dimension.sources.push_back(source(name, specs));
    dimensions_.push_back(std::move(dimension));
  }
  if (!reserved.empty() && reserved.size() != dimensions.size()) {
    throw SchemaError("segments: reserved ones are given for " + std::to_string(reserved.size()) +
                      " dimensions, but there are " + std::to_string(dimensions.size()) +
                      "; give a list for each, which may be empty");
  }
  for (size_t d = 0; d < reserved.size(); ++d) {
    for (const SegmentKey& key : reserved[d]) reserve(d, key);
  }
}

void SegmentIndex::check_dimensions(const std::vector<std::vector<std::string>>& dimensions) const {
  std::set<std::vector<std::string>> seen;
  for (const auto& dimension : dimensions) {
    if (dimension.empty()) throw SchemaError("segments: a dimension without a column; name one or more");
    if (std::set(dimension.begin(), dimension.end()).size() < dimension.size()) {
      throw SchemaError("segments: dimension " + shown(dimension) + " names a column twice");
    }
    auto sorted = dimension;
    std::ranges::sort(sorted);
    if (!seen.insert(sorted).second) {
      throw SchemaError("segments: dimension " + shown(dimension) + " is given twice");
    }
  }
}

size_t SegmentIndex::source(const std::string& name,
                            std::span<const std::shared_ptr<const ColumnSpec>> specs) {
  const auto known = std::ranges::find(sources_, name, &Source::name);
  if (known != sources_.end()) return static_cast<size_t>(known - sources_.begin());
  const auto spec = std::ranges::find_if(specs, [&](const auto& each) { return each->name == name; });
  if (spec != specs.end()) require_segments(**spec);
  sources_.push_back({name, spec == specs.end() ? nullptr : *spec, {}});
  return sources_.size() - 1;
}

void SegmentIndex::reserve(size_t dimension, const SegmentKey& key) {
  if (find(dimension, key) != kOther) return;
  if (n_left_ == 0) {
    throw SchemaError("segments: more are reserved than the " + std::to_string(max_segments_) +
                      " that there may be; raise the limit or reserve fewer");
  }
  Dimension& d = dimensions_[dimension];
  std::vector<uint32_t> tuple;
  for (size_t i = 0; i < key.size(); ++i) {
    Source& source = sources_[d.sources[i]];
    tuple.push_back(key[i] ? source.values.add(*key[i]) : SegmentValues::kMissing);
    if (tuple.back() != SegmentValues::kTooLong) continue;
    throw SchemaError("segments: a reserved value of column '" + source.name + "' has " +
                      std::to_string(key[i]->size()) + " bytes; a segment's value has at most " +
                      std::to_string(SegmentValues::kMaxBytes));
  }
  d.segments.add(tuple.data());
  --n_left_;
}

const arrow::ColumnView* SegmentIndex::view_of(const arrow::Batch& batch, const Source& source) const {
  const auto& fields = batch.schema().fields;
  const auto field = std::ranges::find(fields, source.name, &arrow::Field::name);
  if (field == fields.end() || !tells_segments(source.spec.get(), field->type)) return nullptr;
  return &batch.columns()[static_cast<size_t>(field - fields.begin())];
}

void SegmentIndex::check_rows(const arrow::Batch& batch) const {
  for (const Source& source : sources_) {
    if (const arrow::ColumnView* view = view_of(batch, source)) {
      batch.check_rows(static_cast<size_t>(view - batch.columns().data()));
    }
  }
}

std::vector<std::vector<uint32_t>> SegmentIndex::segments_of(const arrow::Batch& batch) {
  const auto n = static_cast<size_t>(batch.n_rows());
  std::vector<std::vector<uint32_t>> numbers(sources_.size());
  std::vector<std::vector<uint32_t>> segments(dimensions_.size());
  bool is_new = false;
  {
    const std::shared_lock lock(mutex_);
    for (size_t s = 0; s < sources_.size(); ++s) {
      numbers[s].resize(n, SegmentValues::kMissing);
      if (const arrow::ColumnView* view = view_of(batch, sources_[s])) {
        sources_[s].values.number_rows(*view, thread_scratch(), numbers[s].data());
      }
    }
    std::vector<uint32_t> tuple;
    for (size_t d = 0; d < dimensions_.size(); ++d) {
      const auto& [sources, known] = dimensions_[d];
      segments[d].resize(n);
      tuple.resize(sources.size());
      for (size_t row = 0; row < n; ++row) {
        bool too_long = false;
        for (size_t i = 0; i < tuple.size(); ++i) {
          tuple[i] = numbers[sources[i]][row];
          too_long |= tuple[i] == SegmentValues::kTooLong;
        }
        // No tuple has an unknown number in it.
        const uint32_t found = too_long ? kOther : known.find(tuple.data());
        segments[d][row] = found == 0 && !too_long ? kUndecided : found;
        is_new |= segments[d][row] == kUndecided;
      }
    }
    if (n_left_ == 0) {
      for (auto& each : segments) std::ranges::replace(each, kUndecided, kOther);
      return segments;
    }
  }
  if (!is_new) return segments;
  const std::lock_guard lock(mutex_);
  for (size_t row = 0; row < n; ++row) {
    for (size_t d = 0; d < dimensions_.size(); ++d) {
      if (segments[d][row] != kUndecided) continue;
      segments[d][row] = admit(dimensions_[d], batch, row, numbers);
    }
  }
  return segments;
}

/// The segment of a row that had none a moment ago, if there is room for another.
uint32_t SegmentIndex::admit(Dimension& dimension, const arrow::Batch& batch, size_t row,
                             const std::vector<std::vector<uint32_t>>& numbers) {
  std::vector<uint32_t> tuple;
  for (const size_t s : dimension.sources) {
    Source& source = sources_[s];
    uint32_t number = numbers[s][row];
    if (number == SegmentValues::kUnknown) {
      Scratch& scratch = thread_scratch();
      scratch.words[0] = 1;
      read_as_texts(*view_of(batch, source), static_cast<int64_t>(row), 1, scratch);
      number = source.values.find(scratch.texts[0]);
      if (number == SegmentValues::kUnknown && n_left_ > 0) number = source.values.add(scratch.texts[0]);
    }
    if (number == SegmentValues::kUnknown) return kOther;
    tuple.push_back(number);
  }
  if (const uint32_t found = dimension.segments.find(tuple.data())) return found;
  if (n_left_ == 0) return kOther;
  --n_left_;
  return dimension.segments.add(tuple.data());
}

SegmentKey SegmentIndex::key(size_t dimension, uint32_t segment) const {
  const std::shared_lock lock(mutex_);
  const Dimension& d = dimensions_[dimension];
  SegmentKey key;
  const auto tuple = d.segments[segment - 1];
  for (size_t i = 0; i < tuple.size(); ++i) key.push_back(sources_[d.sources[i]].values.text(tuple[i]));
  return key;
}

void SegmentIndex::require(size_t dimension) const {
  if (dimension < dimensions_.size()) return;
  throw SchemaError("segments: dimension " + std::to_string(dimension) + " of " +
                    std::to_string(dimensions_.size()) + "; dimensions count from 0");
}

uint32_t SegmentIndex::find(size_t dimension, const SegmentKey& key) const {
  require(dimension);
  const std::shared_lock lock(mutex_);
  const Dimension& d = dimensions_[dimension];
  if (key.size() != d.sources.size()) {
    throw SchemaError("segments: a key of " + std::to_string(key.size()) + " values for a dimension of " +
                      std::to_string(d.sources.size()) + " columns; give one each");
  }
  std::vector<uint32_t> tuple;
  for (size_t i = 0; i < key.size(); ++i) {
    tuple.push_back(key[i] ? sources_[d.sources[i]].values.find(*key[i]) : SegmentValues::kMissing);
  }
  return d.segments.find(tuple.data());
}

size_t SegmentIndex::memory_bytes() const {
  const std::shared_lock lock(mutex_);
  size_t n = 0;
  for (const Source& source : sources_) n += source.values.memory_bytes();
  for (const Dimension& dimension : dimensions_) n += dimension.segments.memory_bytes();
  return n;
}

}  // namespace tidegauge
