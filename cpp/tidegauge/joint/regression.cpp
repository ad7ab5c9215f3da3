#include "tidegauge/joint/regression.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "tidegauge/base/compensated.hpp"
#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "regression outcomes";

/// The same whichever of the two comes first.
Regression::Sum together(const Regression::Sum& a, const Regression::Sum& b) {
  double value = a.value, rest = 0;
  add_compensated(value, rest, b.value);
  return {value, a.rest + b.rest + rest};
}

bool is_sum(double x) { return std::isfinite(x) && !(x == 0 && std::signbit(x)); }

}  // namespace

std::shared_ptr<const RegressionSpec> RegressionSpec::make(std::string prediction, std::string label,
                                                           std::vector<double> edges) {
  if (prediction == label) {
    throw SchemaError("outcomes: prediction and label are both column '" + label + "'; they must be two");
  }
  auto spec = std::make_shared<RegressionSpec>();
  spec->edges = binning::Edges<double>::make(std::move(edges), kMaxEdges);
  spec->prediction = std::move(prediction);
  spec->label = std::move(label);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'r');
  return spec;
}

void RegressionSpec::encode(ByteWriter& out) const {
  out.put_text(prediction);
  out.put_text(label);
  out.put_varint(edges->values.size());
  out.put_array(std::span(edges->values));
}

std::shared_ptr<const RegressionSpec> RegressionSpec::decode(ByteReader& in) {
  std::string prediction = in.get_text(kWhat), label = in.get_text(kWhat);
  std::vector<double> edges(in.get_count(sizeof(double), kWhat));
  in.get_array(std::span(edges), kWhat);
  for (const double edge : edges) {
    if (edge == 0 && std::signbit(edge)) throw DecodeError("regression outcomes: an edge of minus zero");
  }
  return make(std::move(prediction), std::move(label), std::move(edges));
}

Regression::Regression(std::shared_ptr<const RegressionSpec> spec)
    : spec_(std::move(spec)), cells_(spec_->edges->values.size() + 1) {}

uint64_t Regression::n_rows() const {
  uint64_t n = 0;
  for (const uint64_t count : answers_) n += count;
  return n;
}

void Regression::update(const double* predictions, const double* labels, const Answer* answers, size_t n) {
  double residuals[kTile];
  uint64_t cells[kTile + 8];
  for (size_t i = 0; i < n; ++i) residuals[i] = predictions[i] - labels[i];
  kernels::table().cells_f64(residuals, n, spec_->edges->grid(), cells);
  for (size_t i = 0; i < n; ++i) {
    ++answers_[static_cast<size_t>(answers[i])];
    if (answers[i] != Answer::labelled) continue;
    ++cells_[cells[i]];
    const double e = residuals[i], y = labels[i];
    const double added[kSums] = {e, e * e, std::abs(e), y, y * y};
    for (size_t of = 0; of < kSums; ++of) add_compensated(sums_[of].value, sums_[of].rest, added[of]);
  }
}

void Regression::merge(const Regression& other) {
  for (size_t i = 0; i < kAnswers; ++i) answers_[i] += other.answers_[i];
  for (size_t of = 0; of < kSums; ++of) sums_[of] = together(sums_[of], other.sums_[of]);
  for (size_t i = 0; i < cells_.size(); ++i) cells_[i] += other.cells_[i];
}

void Regression::subtract(const Regression& other) {
  bool more = false;
  for (size_t i = 0; i < kAnswers; ++i) more |= other.answers_[i] > answers_[i];
  for (size_t i = 0; i < cells_.size(); ++i) more |= other.cells_[i] > cells_[i];
  if (more) {
    throw MergeError(
        "regression outcomes: what is to be taken away was never added; subtract only what an earlier update "
        "or merge added");
  }
  for (size_t i = 0; i < kAnswers; ++i) answers_[i] -= other.answers_[i];
  for (size_t i = 0; i < cells_.size(); ++i) cells_[i] -= other.cells_[i];
  for (size_t of = 0; of < kSums; ++of) {
    const Sum theirs = other.sums_[of];
    sums_[of] = n() == 0 ? Sum{} : together(sums_[of], {-theirs.value, -theirs.rest});
    // What rounding left of sums that nothing makes negative.
    if (of != residual && of != label && sum(Of(of)) < 0) sums_[of] = {};
  }
}

Regression Regression::without_labels() const {
  Regression left(spec_);
  left.answers_ = answers_;
  left.answers_[static_cast<size_t>(Answer::unlabelled)] +=
      std::exchange(left.answers_[static_cast<size_t>(Answer::labelled)], uint64_t{0});
  return left;
}

bool Regression::operator==(const Regression& other) const {
  ByteWriter a, b;
  encode(a);
  other.encode(b);
  return spec_->id == other.spec_->id && std::ranges::equal(a.bytes(), b.bytes());
}

void Regression::encode(ByteWriter& out) const {
  for (const uint64_t count : answers_) out.put_varint(count);
  encode_counts(out, std::span<const uint64_t>(cells_));
  if (n() == 0) return;
  for (const Sum& sum : sums_) out.put(sum.value + 0.0), out.put(sum.rest + 0.0);
}

Regression Regression::decode(ByteReader& in, std::shared_ptr<const RegressionSpec> spec) {
  Regression state(std::move(spec));
  uint64_t left = kMaxRows;
  for (uint64_t& count : state.answers_) {
    count = in.get_varint(kWhat);
    if (count > left) throw DecodeError("regression outcomes: more than 2^62 rows");
    left -= count;
  }
  std::vector<uint64_t> cells = decode_counts(in, state.cells_.size(), kWhat);
  uint64_t n = 0;
  for (const uint64_t count : cells) n += count;  // decode_counts knows that it fits
  if (cells.size() != state.cells_.size() || n != state.n()) {
    throw DecodeError("regression outcomes: its cells do not add up to its labelled rows");
  }
  state.cells_ = std::move(cells);
  if (n == 0) return state;
  const double most = 4 * kMaxValue * (4 * kMaxValue);  // of any row's square, with room for rounding
  for (size_t of = 0; of < kSums; ++of) {
    Sum& sum = state.sums_[of];
    sum.value = in.get<double>(kWhat);
    sum.rest = in.get<double>(kWhat);
    const bool is_signed = of == residual || of == label;
    if (!is_sum(sum.value) || !is_sum(sum.rest) || std::abs(sum.value) > most * static_cast<double>(n) ||
        std::abs(sum.rest) > most * static_cast<double>(n) || (!is_signed && sum.value + sum.rest < 0)) {
      throw DecodeError("regression outcomes: a sum that no rows have");
    }
  }
  return state;
}

}  // namespace tidegauge::joint
