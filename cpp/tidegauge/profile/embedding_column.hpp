#pragma once

#include "tidegauge/base/boxed.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/sketch/moments.hpp"
#include "tidegauge/sketch/scatter.hpp"

namespace tidegauge {

/// Rows of floats of one width: their mean vector, perhaps their products, and the moments of their Euclidean
/// norms. A row with a NaN, an infinity or a null in it is counted as NaN and otherwise left out.
class EmbeddingColumn final : public Column {
 public:
  explicit EmbeddingColumn(std::shared_ptr<const ColumnSpec> spec);
  std::unique_ptr<Column> clone() const override {
    return std::unique_ptr<Column>(new EmbeddingColumn(*this));
  }

  /// NaN without rows.
  std::vector<double> mean() const;
  const sketch::Moments<double>& norms() const { return norms_; }
  const Boxed<sketch::Scatter>& scatter() const { return scatter_; }
  size_t memory_bytes(uint64_t) const override;

 private:
  EmbeddingColumn(const EmbeddingColumn&) = default;
  bool accepts(const arrow::Type& type) const override;
  void update_values(const arrow::ColumnView& view, Scratch& scratch) override;
  void merge_values(const Column& other) override;
  void encode_values(ByteWriter& out) const override;
  void decode_values(ByteReader& in) override;

  void make_room();

  std::vector<double> sums_, corrections_;  // a component each, compensated; empty until there are rows
  sketch::Moments<double> norms_;
  Boxed<sketch::Scatter> scatter_;
};

}  // namespace tidegauge
