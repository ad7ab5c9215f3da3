#include "tidegauge/profile/number_column.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/counts.hpp"

namespace tidegauge {
namespace {

/// Whether so few rows are counted in the column's own cells: preparing tables and adding them up would cost
/// more than counters that now and then wait for themselves.
bool is_small(int64_t n_rows) { return n_rows <= 512; }

/// Of the sketch of what lies outside the edges: usually little, so a rank good to 5 % of it will do, and the
/// column stays within 8 KB even when everything does.
constexpr uint32_t kOutsideK = 48;

template <class T>
bool same_layout(const arrow::ColumnView& view) {
  const auto wanted = std::is_same_v<T, double> ? arrow::Physical::float64 : arrow::Physical::int64;
  return view.type.physical == wanted && !view.type.dictionary && !view.type.run_end;
}

/// Gives every row for which has(i) holds the next of the packed scores, and 0 to the others.
template <class Has>
void spread(const int8_t* packed, size_t n, int8_t* out, Has has) {
  for (size_t i = 0; i < n; ++i) {
    const bool there = has(i);
    out[i] = there ? *packed : int8_t{0};
    packed += there;
  }
}

}  // namespace

template <class T>
NumberColumn<T>::NumberColumn(std::shared_ptr<const ColumnSpec> spec) : Column(std::move(spec)) {
  const ColumnSpec& s = this->spec();
  if (edges()) cells_ = store::Counts(edges()->values.size() + 1);
  if (s.accumulators & accumulate::kDistinct) distinct_.emplace();
  if (s.accumulators & accumulate::kQuantiles) quantiles_.emplace(quantile_k());
  if (s.accumulators & accumulate::kExponential) exponential_.emplace();
}

template <class T>
uint32_t NumberColumn<T>::quantile_k() const {
  return spec().frozen() ? kOutsideK : sketch::kKllDefaultK;
}

template <class T>
const binning::Edges<T>* NumberColumn<T>::edges() const {
  if constexpr (std::is_same_v<T, double>) {
    return spec().edges_f64.get();
  } else {
    return spec().edges_i64.get();
  }
}

template <class T>
size_t NumberColumn<T>::memory_bytes(uint64_t n_rows) const {
  return sizeof *this + cells_.size() * store::Counts::width_for(n_rows) +
         (distinct_ ? distinct_->memory_bytes() : 0) + (quantiles_ ? quantiles_->memory_bytes() : 0) +
         (exponential_ ? exponential_->memory_bytes() : 0);
}

template <class T>
void NumberColumn<T>::prefetch() const {
  prefetch_lines(this, sizeof *this);
  cells_.visit([](const auto& cells) { prefetch_lines(cells.data(), cells.size() * sizeof cells[0]); });
}

template <class T>
void NumberColumn<T>::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  const bool plain = same_layout<T>(view) && view.type.unit == spec().unit;
  const bool nullable = view.validity || view.parent_validity || view.type.dictionary || view.type.run_end;
  const bool tables = edges() && !is_small(view.length);
  scratch.tables = tables;
  if (tables) std::fill_n(scratch.counts, 4 * edges()->grid().stride, 0u);
  T* buffer = nullptr;
  if constexpr (std::is_same_v<T, double>) {
    buffer = scratch.reals;
  } else {
    buffer = scratch.integers;
  }
  for (int64_t begin = 0; begin < view.length; begin += kTile) {
    const int64_t n = std::min<int64_t>(kTile, view.length - begin);
    int64_t valid = n;
    if (nullable || !plain) {  // read_numbers goes by these words, and counts what it clears in them
      valid = arrow::read_validity(view, begin, n, scratch.words);
      homes_.n_null += static_cast<uint64_t>(n - valid);
    }
    const T* x = buffer;
    if (plain) {
      const auto* at = static_cast<const char*>(view.values) + (view.offset + begin) * 8;
      if (reinterpret_cast<uintptr_t>(at) % alignof(T) == 0) {
        x = reinterpret_cast<const T*>(at);
      } else {
        std::memcpy(buffer, at, static_cast<size_t>(n) * sizeof(T));
      }
    } else {
      const int64_t mistyped = arrow::read_numbers(view, begin, n, spec().unit, buffer, scratch.words);
      homes_.n_mistyped += static_cast<uint64_t>(mistyped);
      valid -= mistyped;
    }
    kernels::CellScores scores = scratch.scores;
    if (scores.of_cell) scores.out += begin;
    if (valid == n) {
      add(x, static_cast<size_t>(n), scratch, scores);
      continue;
    }
    kernels::table().compress_64(x, static_cast<size_t>(n), scratch.words, buffer);
    int8_t* rows = std::exchange(scores.out, scratch.packed_scores[0]);
    add(buffer, static_cast<size_t>(valid), scratch, scores);
    if (scores.of_cell) {
      spread(scratch.packed_scores[0], static_cast<size_t>(n), rows,
             [&](size_t i) { return (scratch.words[i / 64] >> (i % 64)) & 1; });
    }
  }
  if (tables) {
    const size_t stride = edges()->grid().stride;
    cells_.change(homes_.n_rows, [&](auto& cells) {
      using Count = typename std::decay_t<decltype(cells)>::value_type;
      const uint32_t* counts = scratch.counts;
      for (size_t i = 0; i < cells.size(); ++i) {
        const uint32_t found =
            counts[i] + counts[stride + i] + counts[2 * stride + i] + counts[3 * stride + i];
        cells[i] = static_cast<Count>(cells[i] + found);
      }
    });
  }
}

template <class T>
void NumberColumn<T>::add(const T* x, size_t n, Scratch& scratch, kernels::CellScores scores) {
  while (n > 0) {
    const size_t m = std::min(n, moments_.room());
    kernels::TileFacts<T> facts;
    if (moments_.update(x, m, facts) == 0) {
      add_finite(x, m, facts, scratch, scores);
    } else if constexpr (std::is_same_v<T, double>) {
      facts = {};
      const size_t finite = kernels::table().finite_f64(x, m, scratch.finite, facts);
      homes_.n_nan += facts.n_nan;
      homes_.n_pos_inf += facts.n_pos_inf;
      homes_.n_neg_inf += facts.n_neg_inf;
      facts = {};
      moments_.update(scratch.finite, finite, facts);
      add_finite(scratch.finite, finite, facts, scratch, {scores.of_cell, scratch.packed_scores[1]});
      if (scores.of_cell) {
        spread(scratch.packed_scores[1], m, scores.out, [&](size_t i) { return std::isfinite(x[i]); });
      }
    }
    if (scores.of_cell) scores.out += m;
    x += m;
    n -= m;
  }
}

template <class T>
void NumberColumn<T>::add_finite(const T* x, size_t n, const kernels::TileFacts<T>& facts, Scratch& scratch,
                                 const kernels::CellScores& scores) {
  if (n == 0) return;
  const kernels::Table& kernel = kernels::table();
  n_zero_ += facts.n_zero;
  n_negative_ += facts.n_negative;
  const binning::Edges<T>* frozen = edges();
  if (frozen) {
    if (!scratch.tables) {
      count_directly(x, n, scratch, scores);
    } else if constexpr (std::is_same_v<T, double>) {
      kernel.count_f64(x, n, frozen->grid(), scratch.counts, scores);
    } else {
      kernel.count_i64(x, n, frozen->grid(), scratch.counts, scores);
    }
  }
  if (distinct_) {
    size_t kept = 0;
    if constexpr (std::is_same_v<T, double>) {
      kept = kernel.hash_f64(x, n, spec().seed, distinct_->limit(), scratch.hashes);
    } else {
      kept = kernel.hash_i64(x, n, spec().seed, distinct_->limit(), scratch.hashes);
    }
    if (distinct_->is_exact()) {
      kept =
          kernel.unseen(scratch.hashes, kept, distinct_->slots().data(), distinct_->mask(), scratch.hashes);
    } else {
      kept = kernel.unobserved(scratch.hashes, kept, distinct_->registers().data(), scratch.hashes);
    }
    distinct_->update({scratch.hashes, kept});
  }
  if (exponential_) {
    if constexpr (std::is_same_v<T, double>) {
      exponential_->update({x, n});
    } else {
      for (size_t i = 0; i < n; ++i) scratch.reals[i] = static_cast<double>(x[i]);
      exponential_->update({scratch.reals, n});
    }
  }
  if (quantiles_) {  // last, as it may overwrite the values
    if (!frozen) {
      quantiles_->update({x, n});
    } else if (facts.min < frozen->values.front() || facts.max >= frozen->values.back()) {
      add_outside(x, n, scratch);
    }
  }
}

template <class T>
void NumberColumn<T>::count_directly(const T* x, size_t n, Scratch& scratch,
                                     const kernels::CellScores& scores) {
  uint64_t* found = scratch.hashes;  // free by now
  if (n < 4) {
    for (size_t i = 0; i < n; ++i) found[i] = kernels::cell_of(edges()->grid(), x[i]);
  } else if constexpr (std::is_same_v<T, double>) {
    kernels::table().cells_f64(x, n, edges()->grid(), found);
  } else {
    kernels::table().cells_i64(x, n, edges()->grid(), found);
  }
  cells_.change(homes_.n_rows, [&](auto& cells) {
    for (size_t i = 0; i < n; ++i) ++cells[found[i]];
  });
  for (size_t i = 0; scores.of_cell && i < n; ++i) scores.out[i] = scores.of_cell[found[i]];
}

template <class T>
void NumberColumn<T>::add_outside(const T* x, size_t n, Scratch& scratch) {
  const T first = edges()->values.front(), last = edges()->values.back();
  T* outside = nullptr;
  if constexpr (std::is_same_v<T, double>) {
    outside = scratch.finite;  // perhaps x itself, whose values are needed no more
  } else {
    outside = reinterpret_cast<T*>(scratch.hashes);  // free by now; signed and unsigned may alias
  }
  size_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    outside[kept] = x[i];
    kept += outside[kept] < first || outside[kept] >= last;
  }
  quantiles_->update({outside, kept});
}

template <class T>
void NumberColumn<T>::merge_values(const Column& other) {
  const auto& theirs = static_cast<const NumberColumn&>(other);
  n_zero_ += theirs.n_zero_;
  n_negative_ += theirs.n_negative_;
  moments_.merge(theirs.moments_);
  cells_.merge(theirs.cells_, homes_.n_rows);
  if (distinct_) distinct_->merge(*theirs.distinct_);
  if (quantiles_) quantiles_->merge(*theirs.quantiles_);
  if (exponential_) exponential_->merge(*theirs.exponential_);
}

template <class T>
void NumberColumn<T>::encode_values(ByteWriter& out) const {
  out.put_varint(n_zero_);
  out.put_varint(n_negative_);
  moments_.encode(out);
  if (spec().frozen()) cells_.visit([&](const auto& cells) { encode_counts(out, std::span(cells)); });
  if (distinct_) distinct_->encode(out);
  if (quantiles_) quantiles_->encode(out);
  if (exponential_) exponential_->encode(out);
}

template <class T>
void NumberColumn<T>::decode_values(ByteReader& in) {
  n_zero_ = in.get_varint("number");
  n_negative_ = in.get_varint("number");
  moments_ = sketch::Moments<T>::decode(in);
  if (moments_.n() != n_present() || n_zero_ > n_present() || n_negative_ > n_present() - n_zero_) {
    throw DecodeError("column '" + spec().name + "': its counts do not add up to its present values");
  }
  if (spec().frozen()) {
    auto cells = decode_counts(in, kernels::kMaxEdges + 1, "cells");
    uint64_t total = 0;
    for (const uint64_t count : cells) total += count;
    if (total != n_present() || cells.size() < 2 || (edges() && cells.size() != cells_.size())) {
      throw DecodeError("column '" + spec().name + "': its cells do not add up to its present values");
    }
    cells_ = store::Counts(std::move(cells));
  }
  if (distinct_) distinct_ = sketch::Distinct::decode(in);
  if (quantiles_) {
    quantiles_ = sketch::Kll<T>::decode(in);
    if (quantiles_->k() != quantile_k() || quantiles_->seed() != kDefaultSeed) {
      throw DecodeError("column '" + spec().name + "': its quantile sketch is of other parameters");
    }
  }
  if (exponential_) exponential_ = sketch::Exponential::decode(in);
  const uint64_t outside = cells_.empty() ? n_present() : cells_[0] + cells_[cells_.size() - 1];
  if ((quantiles_ && quantiles_->n() != outside) || (exponential_ && exponential_->n() != n_present())) {
    throw DecodeError("column '" + spec().name + "': its sketches do not hold its present values");
  }
}

template class NumberColumn<double>;
template class NumberColumn<int64_t>;

}  // namespace tidegauge
