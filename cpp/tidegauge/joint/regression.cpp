#include "tidegauge/joint/regression.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "tidegauge/base/compensated.hpp"
#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/logarithm.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "regression outcomes";

typedef double Four __attribute__((vector_size(32)));
static_assert(Regression::kSums % 4 == 0);

/// The same whichever of the two comes first.
Regression::Sum together(const Regression::Sum& a, const Regression::Sum& b) {
  double value = a.value, rest = 0;
  add_compensated(value, rest, b.value);
  return {value, a.rest + b.rest + rest};
}

bool is_sum(double x) { return std::isfinite(x) && !(x == 0 && std::signbit(x)); }

bool is_signed(size_t of) { return of == Regression::residual || of == Regression::label; }

/// log(1 + p) - log(1 + y) of both above -1 and e = p - y, without loss where they are near.
double gap_of_logarithms(double p, double y, double e) {
  const double a = 1 + p, b = 1 + y, s = e / (a + b);
  return std::abs(s) < 0.17 ? logarithm_of_ratio(s) : logarithm(a / b);
}

/// The most that a row adds to a sum, with room for rounding.
double most_of(size_t of) {
  constexpr double kMost = 4 * kMaxValue * (4 * kMaxValue);  // any square
  if (of == Regression::symmetric) return 2.5;
  if (of == Regression::symmetric_squared) return 5;
  return kMost;
}

}  // namespace

std::shared_ptr<const RegressionSpec> RegressionSpec::make(std::string prediction, std::string label,
                                                           std::vector<double> edges, std::string lower,
                                                           std::string upper) {
  if (prediction == label) {
    throw SchemaError("outcomes: prediction and label are both column '" + label + "'; they must be two");
  }
  if (lower.empty() != upper.empty()) {
    throw SchemaError("outcomes: an interval has a lower and an upper bound; column '" + lower + upper +
                      "' is only one of them");
  }
  if (!lower.empty() && (lower == upper || lower == label || upper == label)) {
    throw SchemaError("outcomes: the bounds '" + lower + "' and '" + upper + "' and the label '" + label +
                      "' must be different columns");
  }
  auto spec = std::make_shared<RegressionSpec>();
  spec->edges = binning::Edges<double>::make(std::move(edges), kMaxEdges);
  spec->prediction = std::move(prediction);
  spec->label = std::move(label);
  spec->lower = std::move(lower);
  spec->upper = std::move(upper);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'r');
  return spec;
}

void RegressionSpec::encode(ByteWriter& out) const {
  for (const std::string* name : {&prediction, &label, &lower, &upper}) out.put_text(*name);
  out.put_varint(edges->values.size());
  out.put_array(std::span(edges->values));
}

std::shared_ptr<const RegressionSpec> RegressionSpec::decode(ByteReader& in) {
  std::string names[4];
  for (std::string& name : names) name = in.get_text(kWhat);
  std::vector<double> edges(in.get_count(sizeof(double), kWhat));
  in.get_array(std::span(edges), kWhat);
  for (const double edge : edges) {
    if (edge == 0 && std::signbit(edge)) throw DecodeError("regression outcomes: an edge of minus zero");
  }
  return make(names[0], names[1], std::move(edges), names[2], names[3]);
}

Regression::Regression(std::shared_ptr<const RegressionSpec> spec)
    : spec_(std::move(spec)), cells_(spec_->edges->values.size() + 1) {}

uint64_t Regression::n_rows() const {
  uint64_t n = 0;
  for (const uint64_t count : answers_) n += count;
  return n;
}

uint64_t Regression::rows_of(Of of) const {
  if (of == relative || of == relative_squared) return n_relative_;
  return of == log_squared || of == log_fourth ? n_logs_ : n();
}

bool Regression::impossible() const {
  uint64_t left = n();
  for (const uint64_t count : sides_) {
    if (count > left) return true;
    left -= count;
  }
  return n_relative_ > n() || n_logs_ > n();
}

void Regression::update(const double* predictions, const double* labels, const Answer* answers,
                        const double* bounds, size_t n) {
  // What a few rows add is written down before any of it is read again: read at once it waits for the
  // writing.
  constexpr size_t kRows = 32;
  double residuals[kTile], added[kRows][kSums], values[kSums], rests[kSums];
  uint64_t cells[kTile + 8];
  for (size_t of = 0; of < kSums; ++of) values[of] = sums_[of].value, rests[of] = sums_[of].rest;
  for (size_t i = 0; i < n; ++i) residuals[i] = predictions[i] - labels[i];
  kernels::table().cells_f64(residuals, n, spec_->edges->grid(), cells);
  for (size_t begin = 0; begin < n; begin += kRows) {
    size_t n_added = 0;
    for (size_t i = begin; i < std::min(begin + kRows, n); ++i) {
      ++answers_[static_cast<size_t>(answers[i])];
      if (answers[i] != Answer::labelled) continue;
      ++cells_[cells[i]];
      const double p = predictions[i], y = labels[i], e = residuals[i], size = std::abs(e);
      const double whole = std::abs(p) + std::abs(y), ratio = y == 0 ? INFINITY : size / std::abs(y);
      const bool is_relative = ratio <= kMaxValue, has_logs = p > -1 && y > -1;
      const double r = is_relative ? ratio : 0, s = whole > 0 ? 2 * (size / whole) : 0;
      const double gap = has_logs ? gap_of_logarithms(p, y, e) : 0, l = gap * gap;
      n_relative_ += is_relative;
      n_logs_ += has_logs;
      const double of_row[kSums] = {e, e * e, size, y,     y * y, std::max(e, 0.0) * e,
                                    r, r * r, s,    s * s, l,     l * l};
      std::ranges::copy(of_row, added[n_added++]);
    }
    for (size_t i = 0; i < n_added; ++i) {
      for (size_t of = 0; of < kSums;
           of += 4) {  // what add_compensated does, of sums that stay finite: no branch
        Four before, rest, x;
        std::memcpy(&before, values + of, sizeof before);
        std::memcpy(&rest, rests + of, sizeof rest);
        std::memcpy(&x, added[i] + of, sizeof x);
        const Four after = before + x, more = after - before;
        rest += (before - (after - more)) + (x - more);
        std::memcpy(values + of, &after, sizeof after);
        std::memcpy(rests + of, &rest, sizeof rest);
      }
    }
  }
  for (size_t of = 0; of < kSums; ++of) sums_[of] = {values[of], rests[of]};
  for (size_t i = 0; bounds && i < n; ++i) {
    const double low = bounds[i], high = bounds[kTile + i];
    if (answers[i] != Answer::labelled || std::isnan(low) || std::isnan(high)) continue;
    const Side side = labels[i] < low ? Side::below : labels[i] > high ? Side::above : Side::inside;
    ++sides_[static_cast<size_t>(side)];
  }
}

void Regression::merge(const Regression& other) {
  for (size_t i = 0; i < kAnswers; ++i) answers_[i] += other.answers_[i];
  for (size_t of = 0; of < kSums; ++of) sums_[of] = together(sums_[of], other.sums_[of]);
  for (size_t i = 0; i < cells_.size(); ++i) cells_[i] += other.cells_[i];
  for (size_t i = 0; i < kSides; ++i) sides_[i] += other.sides_[i];
  n_relative_ += other.n_relative_;
  n_logs_ += other.n_logs_;
}

void Regression::subtract(const Regression& other) {
  bool more = other.n_relative_ > n_relative_ || other.n_logs_ > n_logs_;
  Regression left = *this;
  const auto take = [&more](auto& from, const auto& part) {
    for (size_t i = 0; i < from.size(); ++i) {
      more |= part[i] > from[i];
      from[i] -= part[i];
    }
  };
  take(left.answers_, other.answers_);
  take(left.cells_, other.cells_);
  take(left.sides_, other.sides_);
  left.n_relative_ -= other.n_relative_;
  left.n_logs_ -= other.n_logs_;
  if (more || left.impossible()) {
    throw MergeError(
        "regression outcomes: what is to be taken away was never added; subtract only what an earlier update "
        "or merge added");
  }
  for (size_t of = 0; of < kSums; ++of) {
    const Sum theirs = other.sums_[of];
    Sum& ours = left.sums_[of];
    ours = left.rows_of(Of(of)) == 0 ? Sum{} : together(ours, {-theirs.value, -theirs.rest});
    // What rounding left of sums that nothing makes negative.
    if (!is_signed(of) && left.sum(Of(of)) < 0) ours = {};
  }
  *this = std::move(left);
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
  out.put_varint(n_relative_);
  out.put_varint(n_logs_);
  for (const uint64_t count : sides_) out.put_varint(count);
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
  state.n_relative_ = in.get_varint(kWhat);
  state.n_logs_ = in.get_varint(kWhat);
  for (uint64_t& count : state.sides_) count = in.get_varint(kWhat);
  const bool sided = state.sides_ != std::array<uint64_t, kSides>{};
  if (state.impossible() || (sided && !state.spec_->bounded())) {
    throw DecodeError("regression outcomes: more rows in a part than in all");
  }
  for (size_t of = 0; of < kSums; ++of) {
    Sum& sum = state.sums_[of];
    sum.value = in.get<double>(kWhat);
    sum.rest = in.get<double>(kWhat);
    const double most = most_of(of) * static_cast<double>(state.rows_of(Of(of)));
    if (!is_sum(sum.value) || !is_sum(sum.rest) || std::abs(sum.value) > most || std::abs(sum.rest) > most ||
        (!is_signed(of) && sum.value + sum.rest < 0)) {
      throw DecodeError("regression outcomes: a sum that no rows have");
    }
  }
  return state;
}

}  // namespace tidegauge::joint
