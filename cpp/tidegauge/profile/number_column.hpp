#pragma once

#include <span>
#include <vector>

#include "tidegauge/base/boxed.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/sketch/distinct.hpp"
#include "tidegauge/sketch/exponential.hpp"
#include "tidegauge/sketch/kll.hpp"
#include "tidegauge/sketch/moments.hpp"
#include "tidegauge/store/counts.hpp"

namespace tidegauge {

/// Numbers, and times as whole numbers of their unit.
template <class T>
class NumberColumn final : public Column {
 public:
  explicit NumberColumn(std::shared_ptr<const ColumnSpec> spec);
  std::unique_ptr<Column> clone() const override { return std::unique_ptr<Column>(new NumberColumn(*this)); }

  uint64_t n_zero() const { return n_zero_; }
  uint64_t n_negative() const { return n_negative_; }
  const sketch::Moments<T>& moments() const { return moments_; }
  /// With edges: below, the cells, above. Empty without.
  const store::Counts& cells() const { return cells_; }
  const Boxed<sketch::Distinct>& distinct() const { return distinct_; }
  /// Of all values; with edges, of those below the first and at or above the last.
  const Boxed<sketch::Kll<T>>& quantiles() const { return quantiles_; }
  const Boxed<sketch::Exponential>& exponential() const { return exponential_; }
  const binning::Edges<T>* edges() const;
  size_t n_scored_cells() const override { return cells_.size(); }
  size_t memory_bytes(uint64_t n_rows) const override;
  void prefetch() const override;

 private:
  NumberColumn(const NumberColumn&) = default;
  bool accepts(const arrow::Type& type) const override { return type.kind == spec().kind; }
  void update_values(const arrow::ColumnView& view, Scratch& scratch) override;
  void merge_values(const Column& other) override;
  void encode_values(ByteWriter& out) const override;
  void decode_values(ByteReader& in) override;
  size_t n_cells() const override { return cells_.size(); }

  uint32_t quantile_k() const;
  void add(const T* x, size_t n, Scratch& scratch, kernels::CellScores scores);
  void add_finite(const T* x, size_t n, const kernels::TileFacts<T>& facts, Scratch& scratch,
                  const kernels::CellScores& scores);
  void count_directly(const T* x, size_t n, Scratch& scratch, const kernels::CellScores& scores);
  void add_outside(const T* x, size_t n, Scratch& scratch);

  uint64_t n_zero_ = 0, n_negative_ = 0;
  sketch::Moments<T> moments_;
  store::Counts cells_;
  Boxed<sketch::Distinct> distinct_;
  Boxed<sketch::Kll<T>> quantiles_;
  Boxed<sketch::Exponential> exponential_;
};

}  // namespace tidegauge
