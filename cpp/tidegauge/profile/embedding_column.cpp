#include "tidegauge/profile/embedding_column.hpp"

#include <algorithm>
#include <cmath>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/compensated.hpp"

namespace tidegauge {

namespace {
constexpr size_t kRows = 16;          // at a time into the sums of products
constexpr double kLongest = 0x1p512;  // the square of a longer vector leaves a double
}  // namespace

EmbeddingColumn::EmbeddingColumn(std::shared_ptr<const ColumnSpec> shared) : Column(std::move(shared)) {
  if (spec().accumulators & accumulate::kCovariance) scatter_.emplace(static_cast<size_t>(spec().width));
}

void EmbeddingColumn::make_room() {
  sums_.resize(static_cast<size_t>(spec().width));
  corrections_.resize(static_cast<size_t>(spec().width));
}

size_t EmbeddingColumn::memory_bytes(uint64_t) const {
  const auto width = static_cast<size_t>(spec().width);
  const size_t products = scatter_ ? width * (width + 1) / 2 + 256 * width : 0;  // and a block of rows
  return sizeof *this + (2 * width + products) * sizeof(double);
}

bool EmbeddingColumn::accepts(const arrow::Type& type) const {
  return type.kind == arrow::Kind::embedding && type.width == spec().width && !type.dictionary &&
         !type.run_end;
}

void EmbeddingColumn::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  make_room();
  const auto width = static_cast<size_t>(spec().width);
  std::vector<double> rows(kRows * width + sketch::Scatter::kPadding);
  size_t held = 0;
  for (int64_t i = 0; i < view.length; ++i) {
    if (i % 64 == 0) arrow::read_validity(view, i, std::min<int64_t>(64, view.length - i), scratch.words);
    if (((scratch.words[0] >> (i % 64)) & 1) == 0) {
      ++homes_.n_null;
      continue;
    }
    const std::span<double> row = std::span(rows).subspan(held * width, width);
    arrow::read_embeddings(view, i, 1, row.data());
    double square = 0;
    for (const double x : row) square += x * x;
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) {
      ++homes_.n_nan;
      continue;
    }
    for (size_t j = 0; j < width; ++j) add_compensated(sums_[j], corrections_[j], row[j]);
    kernels::TileFacts<double> facts;
    norms_.update(&norm, 1, facts);
    if (scatter_ && ++held == kRows) {
      scatter_->update(rows.data(), held);
      held = 0;
    }
  }
  if (scatter_) scatter_->update(rows.data(), held);
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
  if (scatter_) scatter_->merge(*theirs.scatter_);
}

void EmbeddingColumn::encode_values(ByteWriter& out) const {
  norms_.encode(out);
  if (norms_.n() == 0) return;
  out.put_array(std::span<const double>(sums_));
  out.put_array(std::span<const double>(corrections_));
  if (scatter_) scatter_->encode(out);
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
  if (norms_.min() < 0 || norms_.max() > kLongest) throw DecodeError("embedding: norms that no vectors have");
  const double most = 2 * kLongest * static_cast<double>(norms_.n());  // with room for rounding
  for (const auto* sums : {&sums_, &corrections_}) {
    for (const double sum : *sums) {
      if (!(std::abs(sum) <= most) || (sum == 0 && std::signbit(sum))) {
        throw DecodeError("embedding: a sum that no vectors have");
      }
    }
  }
  if (!scatter_) return;
  scatter_ = sketch::Scatter::decode(in, static_cast<size_t>(spec().width));
  if (scatter_->n() != norms_.n()) throw DecodeError("embedding: as many products as rows are needed");
}

}  // namespace tidegauge
