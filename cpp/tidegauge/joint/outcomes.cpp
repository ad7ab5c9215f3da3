#include "tidegauge/joint/outcomes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

using arrow::ColumnView;

/// A tile of doubles and which of its rows hold one.
class Numbers {
 public:
  explicit Numbers(const ColumnView* column) : column_(column) {
    if (!column_) return;
    const arrow::Type& type = column_->type;
    plain_ = type.kind == arrow::Kind::number && type.physical == arrow::Physical::float64 &&
             !type.dictionary && !type.run_end;
    nullable_ = !plain_ || column_->validity || column_->parent_validity;
  }

  /// Reads rows [begin, begin + n), n <= kTile. Where a row has no number, calls homeless(i, how) with how a
  /// Missing, and values()[i] is 0.
  enum class Missing : uint8_t { null, mistyped, nan, infinite };
  template <class Homeless>
  void read(int64_t begin, int64_t n, Homeless homeless) {
    values_ = buffer_;
    if (!column_) {
      for (int64_t i = 0; i < n; ++i) buffer_[i] = 0, homeless(i, Missing::null);
      return;
    }
    prefetch_tile(*column_, begin + n);
    if (plain_) {
      const char* at = static_cast<const char*>(column_->values) + (column_->offset + begin) * 8;
      if (reinterpret_cast<uintptr_t>(at) % alignof(double) == 0) {
        values_ = reinterpret_cast<const double*>(at);
      } else {
        std::memcpy(buffer_, at, static_cast<size_t>(n) * sizeof(double));
      }
    }
    if (nullable_) {
      uint64_t valid[kTile / 64], kept[kTile / 64];
      int64_t n_kept = arrow::read_validity(*column_, begin, n, valid);
      std::copy_n(valid, arrow::n_words(n), kept);
      if (column_->type.kind != arrow::Kind::number) {
        std::fill_n(kept, arrow::n_words(n), uint64_t{0});
        n_kept = 0;
      } else if (!plain_) {
        n_kept -= arrow::read_numbers(*column_, begin, n, arrow::TimeUnit::none, buffer_, kept);
      }
      if (n_kept < n) {
        own(n);
        for (int64_t i = 0; i < n; ++i) {
          if (test(kept, i)) continue;
          buffer_[i] = 0;
          homeless(i, test(valid, i) || is_mistyped(*column_, begin + i) ? Missing::mistyped : Missing::null);
        }
      }
    }
  }

  /// The same for what is no finite number.
  template <class Homeless>
  void read_finite(int64_t begin, int64_t n, Homeless homeless) {
    read(begin, n, homeless);
    if (all_finite(n)) return;
    own(n);
    for (int64_t i = 0; i < n; ++i) {
      if (std::isfinite(buffer_[i])) continue;
      homeless(i, std::isnan(buffer_[i]) ? Missing::nan : Missing::infinite);
      buffer_[i] = 0;
    }
  }

  const double* values() const { return values_; }

 private:
  static bool test(const uint64_t* words, int64_t i) { return (words[i >> 6] >> (i & 63)) & 1; }
  /// A value less itself is 0, or NaN, and so is their sum; in lanes, as one sum would wait for itself.
  bool all_finite(int64_t n) const {
    double lanes[8] = {};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
      for (int64_t j = 0; j < 8; ++j) lanes[j] += values_[i + j] - values_[i + j];
    }
    for (; i < n; ++i) lanes[0] += values_[i] - values_[i];
    return std::ranges::all_of(lanes, [](double lane) { return lane == 0; });
  }
  void own(int64_t n) {
    if (values_ != buffer_) std::copy_n(values_, n, buffer_);
    values_ = buffer_;
  }

  const ColumnView* column_;
  bool plain_ = false, nullable_ = false;
  const double* values_ = nullptr;
  double buffer_[kTile + 8] = {};
};
using Missing = Numbers::Missing;

template <class AddTile>
void for_tiles(const Rows& rows, AddTile add_tile) {
  for (int64_t begin = 0; begin < rows.n_rows(); begin += kTile) {
    add_tile(begin, std::min(kTile, rows.n_rows() - begin));
  }
}

}  // namespace

Rows::Rows(const arrow::Batch& batch, std::span<const std::string> names) : n_rows_(batch.n_rows()) {
  const auto& fields = batch.schema().fields;
  for (const std::string& name : names) {
    const auto named = [&](const arrow::Field& field) { return field.name == name; };
    const auto at = std::ranges::find_if(fields, named);
    if (at == fields.end() || find(name)) continue;
    if (std::find_if(at + 1, fields.end(), named) != fields.end()) {
      throw SchemaError("column '" + name + "' appears twice in the batch; rename one of them");
    }
    const auto i = static_cast<size_t>(at - fields.begin());
    batch.check_rows(i);
    add(name, batch.columns()[i]);
  }
}

const ColumnView* Rows::find(const std::string& name) const {
  const auto at = std::ranges::find(columns_, name, &std::pair<std::string, ColumnView>::first);
  return at == columns_.end() ? nullptr : &at->second;
}

Rows Rows::slice(int64_t begin, int64_t n) const {
  Rows part(n);
  for (const auto& [name, column] : columns_) part.add(name, column.slice(begin, n));
  return part;
}

std::vector<std::string> columns_of(const BinarySpec& spec) {
  if (!spec.weighted()) return {spec.score, spec.label};
  return {spec.score, spec.label, spec.weight};
}
std::vector<std::string> columns_of(const ConfusionSpec& spec) { return {spec.prediction, spec.label}; }
std::vector<std::string> columns_of(const RegressionSpec& spec) { return {spec.prediction, spec.label}; }

void add_rows(Binary& state, const Rows& rows) {
  const BinarySpec& spec = *state.spec();
  ClassReader::Meaning outcome_of{};
  const auto mean = [&](Code code, Outcome outcome) { outcome_of[code] = static_cast<Code>(outcome); };
  mean(spec.classes.other(), spec.classes.size() == 2 ? Outcome::label_unknown : Outcome::negative);
  mean(spec.classes.missing(), Outcome::unlabelled);
  mean(spec.classes.mistyped(), Outcome::label_mistyped);
  mean(0, Outcome::negative);
  mean(static_cast<Code>(spec.classes.size() - 1), Outcome::positive);
  Numbers scores(rows.find(spec.score)), weights(spec.weighted() ? rows.find(spec.weight) : nullptr);
  const ClassReader labels(spec.classes, outcome_of, rows.find(spec.label));
  kernels::table();  // throws where an instruction set is asked for that there is not

  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code outcomes[kTile + 8];
    labels.read(begin, n, outcomes);
    if (spec.weighted()) {
      weights.read_finite(begin, n,
                          [&](int64_t i, Missing) { outcomes[i] = Code(Outcome::weight_unusable); });
      const double* w = weights.values();
      for (int64_t i = 0; i < n; ++i) {
        if (w[i] < 0 || w[i] > kMaxWeight) outcomes[i] = Code(Outcome::weight_unusable);
      }
    }
    scores.read(begin, n, [&](int64_t i, Missing how) {
      outcomes[i] = static_cast<Code>(static_cast<int>(Outcome::score_null) + static_cast<int>(how));
    });
    state.update(scores.values(), outcomes, spec.weighted() ? weights.values() : nullptr,
                 static_cast<size_t>(n));
  });
}

void add_rows(Confusion& state, const Rows& rows) {
  const ConfusionSpec& spec = *state.spec();
  ClassReader::Meaning itself{};
  std::iota(itself.begin(), itself.end(), Code{0});
  const ClassReader predictions(spec.classes, itself, rows.find(spec.prediction)),
      labels(spec.classes, itself, rows.find(spec.label));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code predicted[kTile + 8], known[kTile + 8];
    predictions.read(begin, n, predicted);
    labels.read(begin, n, known);
    state.update(predicted, known, static_cast<size_t>(n));
  });
}

void add_rows(Regression& state, const Rows& rows) {
  const RegressionSpec& spec = *state.spec();
  Numbers predictions(rows.find(spec.prediction)), labels(rows.find(spec.label));
  kernels::table();
  constexpr Answer kOfPrediction[] = {Answer::prediction_null, Answer::prediction_mistyped,
                                      Answer::prediction_nan, Answer::prediction_infinite},
                   kOfLabel[] = {Answer::unlabelled, Answer::label_mistyped, Answer::unlabelled,
                                 Answer::label_infinite};
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Answer answers[kTile];
    std::fill_n(answers, n, Answer::labelled);
    labels.read_finite(begin, n,
                       [&](int64_t i, Missing how) { answers[i] = kOfLabel[static_cast<size_t>(how)]; });
    predictions.read_finite(
        begin, n, [&](int64_t i, Missing how) { answers[i] = kOfPrediction[static_cast<size_t>(how)]; });
    for (int64_t i = 0; i < n; ++i) {
      const double most = std::max(std::abs(predictions.values()[i]), std::abs(labels.values()[i]));
      if (most > kMaxValue && answers[i] == Answer::labelled) answers[i] = Answer::beyond;
    }
    state.update(predictions.values(), labels.values(), answers, static_cast<size_t>(n));
  });
}

}  // namespace tidegauge::joint
