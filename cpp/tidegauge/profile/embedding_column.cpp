#include "tidegauge/profile/embedding_column.hpp"

#include <algorithm>
#include <cmath>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/compensated.hpp"

namespace tidegauge {

EmbeddingColumn::EmbeddingColumn(std::shared_ptr<const ColumnSpec> spec) : Column(std::move(spec)) {}

void EmbeddingColumn::make_room() {
  sums_.resize(static_cast<size_t>(spec().width));
  corrections_.resize(static_cast<size_t>(spec().width));
}

bool EmbeddingColumn::accepts(const arrow::Type& type) const {
  return type.kind == arrow::Kind::embedding && type.width == spec().width && !type.dictionary &&
         !type.run_end;
}

void EmbeddingColumn::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  make_room();
  std::vector<double> row(static_cast<size_t>(spec().width));
  for (int64_t i = 0; i < view.length; ++i) {
    if (i % 64 == 0) arrow::read_validity(view, i, std::min<int64_t>(64, view.length - i), scratch.words);
    if (((scratch.words[0] >> (i % 64)) & 1) == 0) {
      ++homes_.n_null;
      continue;
    }
    arrow::read_embeddings(view, i, 1, row.data());
    double square = 0;
    for (const double x : row) square += x * x;
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) {
      ++homes_.n_nan;
      continue;
    }
    for (size_t j = 0; j < row.size(); ++j) add_compensated(sums_[j], corrections_[j], row[j]);
    kernels::TileFacts<double> facts;
    norms_.update(&norm, 1, facts);
  }
}

std::vector<double> EmbeddingColumn::mean() const {
  std::vector<double> mean(static_cast<size_t>(spec().width), std::nan(""));
  for (size_t j = 0; j < sums_.size(); ++j) {
    mean[j] = (sums_[j] + corrections_[j]) / static_cast<double>(n_present());
  }
  return mean;
}

void EmbeddingColumn::merge_values(const Column& other) {
  const auto& theirs = static_cast<const EmbeddingColumn&>(other);
  if (theirs.norms_.n() == 0) return;
  make_room();
  for (size_t j = 0; j < sums_.size(); ++j) {
    sums_[j] += theirs.sums_[j];
    corrections_[j] += theirs.corrections_[j];
  }
  norms_.merge(theirs.norms_);
}

void EmbeddingColumn::encode_values(ByteWriter& out) const {
  norms_.encode(out);
  if (norms_.n() == 0) return;
  out.put_array(std::span<const double>(sums_));
  out.put_array(std::span<const double>(corrections_));
}

void EmbeddingColumn::decode_values(ByteReader& in) {
  norms_ = sketch::Moments<double>::decode(in);
  if (norms_.n() != n_present()) throw DecodeError("embedding: as many norms as rows are needed");
  if (norms_.n() == 0) return;
  if (in.remaining() < 2 * sizeof(double) * static_cast<size_t>(spec().width)) {
    throw DecodeError("embedding: fewer sums than floats in a row");
  }
  make_room();
  in.get_array(std::span<double>(sums_), "embedding");
  in.get_array(std::span<double>(corrections_), "embedding");
}

}  // namespace tidegauge
