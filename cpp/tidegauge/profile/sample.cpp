#include "tidegauge/profile/sample.hpp"

#include <algorithm>
#include <cmath>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/random.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {
namespace {

constexpr size_t kSampledNames = 1 << 16;

template <class T, class Keep>
void keep_if(std::vector<T>& values, const std::vector<uint64_t>& rows, Keep keep) {
  size_t kept = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (keep(rows[i])) values[kept++] = values[i];
  }
  values.resize(kept);
}

}  // namespace

Sample::Sample(std::vector<std::shared_ptr<const ColumnSpec>> specs, size_t max_rows)
    : max_rows_(std::max<size_t>(max_rows, 2)), scratch_(std::make_unique<Scratch>()) {
  for (auto& spec : specs) {
    index_.emplace(spec->name, columns_.size());
    const bool keep = spec->keep_values;
    columns_.push_back({std::move(spec), {}, {}, {}, sketch::Frequent(keep, kSampledNames), {}, 0});
  }
}

bool Sample::taken(uint64_t row) const {
  return halvings_ == 0 || (draw(kDefaultSeed, row) >> (64 - halvings_)) == 0;
}

void Sample::halve() {
  ++halvings_;
  n_taken_ /= 2;
  const auto keep = [&](uint64_t row) { return taken(row); };
  for (Values& values : columns_) {
    keep_if(values.reals, values.rows, keep);
    keep_if(values.integers, values.rows, keep);
    std::erase_if(values.rows, [&](uint64_t row) { return !keep(row); });
  }
}

void Sample::update(const arrow::Batch& batch) {
  for (size_t i = 0; i < batch.columns().size(); ++i) {
    if (index_.contains(batch.schema().fields[i].name)) batch.check_rows(i);
  }
  // Thinned at the very row that is one too many, wherever batches begin and end.
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < batch.n_rows();) {
    rows.clear();
    for (; i < batch.n_rows() && n_taken_ + rows.size() <= max_rows_; ++i) {
      if (taken(n_rows_ + static_cast<uint64_t>(i))) rows.push_back(i);
    }
    for (size_t c = 0; c < batch.columns().size(); ++c) {
      const auto known = index_.find(batch.schema().fields[c].name);
      if (known != index_.end()) add(columns_[known->second], batch.columns()[c], rows);
    }
    n_taken_ += rows.size();
    if (n_taken_ > max_rows_) halve();
  }
  n_rows_ += static_cast<uint64_t>(batch.n_rows());
}

void Sample::add(Values& values, const arrow::ColumnView& view, const std::vector<int64_t>& rows) {
  const ColumnSpec& spec = *values.spec;
  const bool number = spec.state != State::none && view.type.kind == spec.kind;
  const bool category = spec.kind == arrow::Kind::category && readable_as_texts(view.type);
  const bool boolean = spec.kind == arrow::Kind::boolean && view.type.kind == spec.kind;
  if ((!number && !category && !boolean) || view.type.null_type) return;
  uint64_t truths[kTile / 64];
  Scratch& scratch = *scratch_;
  for (size_t at = 0; at < rows.size();) {
    // A tile when rows lie side by side, else a row.
    const int64_t begin = rows[at];
    const size_t last = std::min(at + kTile, rows.size()) - 1;
    const bool dense = rows[last] - begin == static_cast<int64_t>(last - at);
    const int64_t n = dense ? static_cast<int64_t>(last - at) + 1 : 1;
    at += static_cast<size_t>(n);
    arrow::read_validity(view, begin, n, scratch.words);
    if (category) {
      read_as_texts(view, begin, n, scratch);
    } else if (boolean) {
      arrow::read_booleans(view, begin, n, truths);
    } else if (spec.state == State::f64) {
      arrow::read_numbers(view, begin, n, spec.unit, scratch.reals, scratch.words);
    } else {
      arrow::read_numbers(view, begin, n, spec.unit, scratch.integers, scratch.words);
    }
    for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64, [&](size_t i) {
      ++values.n_present;
      if (category) {
        const uint64_t hash = hash_text(scratch.texts[i], spec.seed);
        values.categories.update(hash, uint64_t{1} << halvings_, scratch.texts[i]);
        values.distinct.update({&hash, 1});
        return;
      }
      if (boolean) {
        values.reals.push_back(static_cast<double>((truths[i / 64] >> (i % 64)) & 1));
      } else if (spec.state == State::i64) {
        values.integers.push_back(scratch.integers[i]);
      } else if (std::isfinite(scratch.reals[i])) {
        values.reals.push_back(scratch.reals[i] + 0.0);
      } else {
        return;
      }
      values.rows.push_back(n_rows_ + static_cast<uint64_t>(begin) + i);
    });
  }
}

}  // namespace tidegauge
