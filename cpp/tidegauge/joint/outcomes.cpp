#include "tidegauge/joint/outcomes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/hash.hpp"
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
    if (at != fields.end() && !find(name))
      add(name, batch.columns()[static_cast<size_t>(at - fields.begin())]);
  }
}

Rows Rows::checked(const arrow::Batch& batch, std::span<const std::string> names) {
  const auto& fields = batch.schema().fields;
  for (const std::string& name : names) {
    const auto named = [&](const arrow::Field& field) { return field.name == name; };
    const auto at = std::ranges::find_if(fields, named);
    if (at == fields.end()) continue;
    if (std::find_if(at + 1, fields.end(), named) != fields.end()) {
      throw SchemaError("column '" + name + "' appears twice in the batch; rename one of them");
    }
    batch.check_rows(static_cast<size_t>(at - fields.begin()));
  }
  return {batch, names};
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
std::vector<std::string> columns_of(const RegressionSpec& spec) {
  if (!spec.bounded()) return {spec.prediction, spec.label};
  return {spec.prediction, spec.label, spec.lower, spec.upper};
}
std::vector<std::string> columns_of(const MulticlassSpec& spec) {
  std::vector<std::string> names = spec.scores;
  names.push_back(spec.label);
  return names;
}
std::vector<std::string> columns_of(const RankingSpec& spec) { return {spec.query, spec.score, spec.label}; }

namespace {

/// Calls sink(outcomes, n) for each tile of labels.
template <class Sink>
void read_labels(const BinarySpec& spec, const Rows& rows, Sink sink) {
  ClassReader::Meaning outcome_of{};
  const auto mean = [&](Code code, Outcome outcome) { outcome_of[code] = static_cast<Code>(outcome); };
  mean(spec.classes.other(), spec.classes.size() == 2 ? Outcome::label_unknown : Outcome::negative);
  mean(spec.classes.missing(), Outcome::unlabelled);
  mean(spec.classes.mistyped(), Outcome::label_mistyped);
  mean(0, Outcome::negative);
  mean(static_cast<Code>(spec.classes.size() - 1), Outcome::positive);
  const ClassReader labels(spec.classes, outcome_of, rows.find(spec.label));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code outcomes[kTile + 8];
    labels.read(begin, n, outcomes);
    sink(begin, outcomes, n);
  });
}

/// Calls sink(scores, outcomes, weights or null, n) for each tile.
template <class Sink>
void read_rows(const BinarySpec& spec, const Rows& rows, Sink sink) {
  Numbers scores(rows.find(spec.score)), weights(spec.weighted() ? rows.find(spec.weight) : nullptr);
  kernels::table();  // throws where an instruction set is asked for that there is not
  read_labels(spec, rows, [&](int64_t begin, Code* outcomes, int64_t n) {
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
    sink(scores.values(), outcomes, spec.weighted() ? weights.values() : nullptr, static_cast<size_t>(n));
  });
}

ClassReader codes_of(const Classes& classes, const ColumnView* column) {
  ClassReader::Meaning itself{};
  std::iota(itself.begin(), itself.end(), Code{0});
  return {classes, itself, column};
}

/// Calls sink(scores, labels, amiss, n) for each tile, all of them as Multiclass takes them.
template <class Sink>
void read_rows(const MulticlassSpec& spec, const Rows& rows, Sink sink) {
  std::vector<Numbers> columns;
  columns.reserve(spec.scores.size());
  for (const std::string& name : spec.scores) columns.emplace_back(rows.find(name));
  std::vector<double> scores(Multiclass::kStride * columns.size());
  const ClassReader labels = codes_of(spec.classes, rows.find(spec.label));
  kernels::table();
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code known[kTile + 8];
    uint8_t amiss[kTile] = {};
    labels.read(begin, n, known);
    for (size_t c = 0; c < columns.size(); ++c) {
      columns[c].read_finite(begin, n, [&](int64_t i, Missing how) {
        if (amiss[i] == 0) amiss[i] = static_cast<uint8_t>(1 + static_cast<int>(how));
      });
      std::copy_n(columns[c].values(), n, &scores[Multiclass::kStride * c]);
    }
    sink(scores.data(), known, amiss, static_cast<size_t>(n));
  });
}

/// Calls sink(labels, answers, n) for each tile of labels.
template <class Sink>
void read_labels(const RegressionSpec& spec, const Rows& rows, Sink sink) {
  Numbers labels(rows.find(spec.label));
  kernels::table();
  constexpr Answer kOfLabel[] = {Answer::unlabelled, Answer::label_mistyped, Answer::unlabelled,
                                 Answer::label_infinite};
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Answer answers[kTile];
    std::fill_n(answers, n, Answer::labelled);
    labels.read_finite(begin, n,
                       [&](int64_t i, Missing how) { answers[i] = kOfLabel[static_cast<size_t>(how)]; });
    for (int64_t i = 0; i < n; ++i) {
      if (std::abs(labels.values()[i]) > kMaxValue) answers[i] = Answer::beyond;
    }
    sink(begin, labels.values(), answers, n);
  });
}

/// Calls sink(predictions, labels, answers, bounds or null, n) for each tile; bounds as Regression takes
/// them.
template <class Sink>
void read_rows(const RegressionSpec& spec, const Rows& rows, Sink sink) {
  Numbers predictions(rows.find(spec.prediction));
  Numbers lower(spec.bounded() ? rows.find(spec.lower) : nullptr),
      upper(spec.bounded() ? rows.find(spec.upper) : nullptr);
  constexpr Answer kOfPrediction[] = {Answer::prediction_null, Answer::prediction_mistyped,
                                      Answer::prediction_nan, Answer::prediction_infinite};
  read_labels(spec, rows, [&](int64_t begin, const double* labels, Answer* answers, int64_t n) {
    predictions.read_finite(
        begin, n, [&](int64_t i, Missing how) { answers[i] = kOfPrediction[static_cast<size_t>(how)]; });
    for (int64_t i = 0; i < n; ++i) {
      if (std::abs(predictions.values()[i]) > kMaxValue && answers[i] == Answer::labelled)
        answers[i] = Answer::beyond;
    }
    double bounds[2 * kTile];
    double* to = bounds;
    for (Numbers* each : {&lower, &upper}) {
      if (!spec.bounded()) break;
      bool missing[kTile] = {};
      each->read(begin, n, [&](int64_t i, Missing) { missing[i] = true; });
      for (int64_t i = 0; i < n; ++i) to[i] = missing[i] ? NAN : each->values()[i];
      to += kTile;
    }
    sink(predictions.values(), labels, answers, spec.bounded() ? bounds : nullptr, static_cast<size_t>(n));
  });
}

size_t width_of(const RegressionSpec& spec) { return spec.bounded() ? 3 : 1; }

template <class T>
void append(std::vector<T>& to, const T* from, size_t n) {
  to.insert(to.end(), from, from + n);
}

}  // namespace

void add_rows(Binary& state, const Rows& rows) {
  read_rows(*state.spec(), rows,
            [&](const double* scores, const Code* outcomes, const double* weights, size_t n) {
              state.update(scores, outcomes, weights, n);
            });
}

void add_rows(Confusion& state, const Rows& rows) {
  const ConfusionSpec& spec = *state.spec();
  const ClassReader predictions = codes_of(spec.classes, rows.find(spec.prediction)),
                    labels = codes_of(spec.classes, rows.find(spec.label));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code predicted[kTile + 8], known[kTile + 8];
    predictions.read(begin, n, predicted);
    labels.read(begin, n, known);
    state.update(predicted, known, static_cast<size_t>(n));
  });
}

void add_rows(Regression& state, const Rows& rows) {
  read_rows(*state.spec(), rows,
            [&](const double* predictions, const double* labels, const Answer* answers, const double* bounds,
                size_t n) { state.update(predictions, labels, answers, bounds, n); });
}

void for_scored_tiles(const BinarySpec& spec, const Rows& rows,
                      const std::function<void(int64_t, const double*, Code*, size_t)>& use) {
  int64_t begin = 0;
  read_rows(spec, rows, [&](const double* scores, Code* outcomes, const double*, size_t n) {
    use(begin, scores, outcomes, n);
    begin += static_cast<int64_t>(n);
  });
}

void for_predicted_tiles(const RegressionSpec& spec, const Rows& rows,
                         const std::function<void(int64_t, const Answer*, size_t)>& use) {
  int64_t begin = 0;
  read_rows(spec, rows, [&](const double*, const double*, const Answer* answers, const double*, size_t n) {
    use(begin, answers, n);
    begin += static_cast<int64_t>(n);
  });
}

void add_rows(Multiclass& state, const Rows& rows) {
  read_rows(*state.spec(), rows,
            [&](const double* scores, const Code* labels, const uint8_t* amiss, size_t n) {
              state.update(scores, labels, amiss, n);
            });
}

namespace {

/// Hashes of the values of a query's column; what has none keeps a 0, and says why in `rows`.
std::vector<uint64_t> hashes_of_queries(const ColumnView* column, std::vector<RankedRow>& rows) {
  std::vector<uint64_t> hashes(rows.size());
  const auto n_rows = static_cast<int64_t>(rows.size());
  for (int64_t begin = 0; begin < n_rows; begin += kTile) {
    const int64_t n = std::min(kTile, n_rows - begin);
    uint64_t valid[kTile / 64] = {}, kept[kTile / 64] = {};
    std::string_view texts[kTile];
    int64_t integers[kTile + 8];
    double reals[kTile + 8];
    const arrow::Kind kind = column ? column->type.kind : arrow::Kind::unsupported;
    const bool whole = column && arrow::is_integer(column->type.physical);
    if (column) arrow::read_validity(*column, begin, n, valid);
    if (kind == arrow::Kind::category || kind == arrow::Kind::number) std::copy_n(valid, kTile / 64, kept);
    if (kind == arrow::Kind::category) {
      arrow::read_texts(*column, begin, n, texts);
    } else if (kind == arrow::Kind::number && whole) {
      arrow::read_numbers(*column, begin, n, arrow::TimeUnit::none, integers, kept);
    } else if (kind == arrow::Kind::number) {
      arrow::read_numbers(*column, begin, n, arrow::TimeUnit::none, reals, kept);
    }
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(begin + i);
      const auto has = [i](const uint64_t* words) { return (words[i >> 6] >> (i & 63)) & 1; };
      if (!has(kept)) {
        const bool mistyped = column && (has(valid) || is_mistyped(*column, begin + i));
        rows[at].what = mistyped ? Ranked::query_mistyped : Ranked::query_null;
      } else if (kind == arrow::Kind::category) {
        hashes[at] = hash_text(texts[i], kDefaultSeed);
      } else if (whole) {
        hashes[at] = hash_bits(static_cast<uint64_t>(integers[i]), kDefaultSeed);
      } else if (std::isnan(reals[i])) {
        rows[at].what = Ranked::query_null;
      } else {
        hashes[at] = hash_bits(std::bit_cast<uint64_t>(reals[i] + 0.0), kDefaultSeed);
      }
    }
  }
  return hashes;
}

void read_relevance(const ColumnView* column, const Rows& rows, std::vector<RankedRow>& found) {
  const auto tell = [&](int64_t row, Ranked what) {
    RankedRow& of_row = found[static_cast<size_t>(row)];
    if (of_row.what == Ranked::ranked) of_row.what = what;
  };
  if (column && column->type.kind == arrow::Kind::boolean) {
    for_tiles(rows, [&](int64_t begin, int64_t n) {
      uint64_t valid[kTile / 64], values[kTile / 64];
      arrow::read_validity(*column, begin, n, valid);
      arrow::read_booleans(*column, begin, n, values);
      for (int64_t i = 0; i < n; ++i) {
        const auto has = [i](const uint64_t* words) { return (words[i >> 6] >> (i & 63)) & 1; };
        if (has(valid)) {
          found[static_cast<size_t>(begin + i)].relevance = has(values) ? 1 : 0;
        } else {
          tell(begin + i, is_mistyped(*column, begin + i) ? Ranked::relevance_mistyped : Ranked::unlabelled);
        }
      }
    });
    return;
  }
  constexpr Ranked kOfLabel[] = {Ranked::unlabelled, Ranked::relevance_mistyped, Ranked::unlabelled,
                                 Ranked::relevance_infinite};
  Numbers labels(column);
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    labels.read_finite(begin, n,
                       [&](int64_t i, Missing how) { tell(begin + i, kOfLabel[static_cast<size_t>(how)]); });
    for (int64_t i = 0; i < n; ++i) {
      const double relevance = labels.values()[i];
      if (relevance < 0) tell(begin + i, Ranked::relevance_negative);
      if (relevance > kMaxValue) tell(begin + i, Ranked::relevance_infinite);
      found[static_cast<size_t>(begin + i)].relevance = relevance;
    }
  });
}

}  // namespace

void add_rows(Ranking& state, const Rows& rows) {
  std::vector<RankedRow> found(static_cast<size_t>(rows.n_rows()));
  const std::vector<uint64_t> hashes = hashes_of_queries(rows.find(state.spec()->query), found);
  constexpr Ranked kOfScore[] = {Ranked::score_null, Ranked::score_mistyped, Ranked::score_nan,
                                 Ranked::score_infinite};
  Numbers scores(rows.find(state.spec()->score));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    scores.read_finite(begin, n, [&](int64_t i, Missing how) {
      RankedRow& row = found[static_cast<size_t>(begin + i)];
      if (row.what == Ranked::ranked) row.what = kOfScore[static_cast<size_t>(how)];
    });
    for (int64_t i = 0; i < n; ++i) found[static_cast<size_t>(begin + i)].score = scores.values()[i];
  });
  read_relevance(rows.find(state.spec()->label), rows, found);
  // Runs of one query, brought together: mostly a run is a query.
  struct Run {
    uint64_t hash;
    size_t begin, end;
  };
  std::vector<Run> runs;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].what == Ranked::query_null || found[i].what == Ranked::query_mistyped) {
      state.add_without_query(found[i].what);
    } else if (!runs.empty() && runs.back().end == i && runs.back().hash == hashes[i]) {
      runs.back().end = i + 1;
    } else {
      runs.push_back({hashes[i], i, i + 1});
    }
  }
  std::ranges::sort(runs, [](const Run& a, const Run& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.begin < b.begin;
  });
  std::vector<RankedRow> together;
  for (size_t i = 0, next = 0; i < runs.size(); i = next) {
    for (next = i + 1; next < runs.size() && runs[next].hash == runs[i].hash;) ++next;
    const auto rows_of = [&](const Run& run) {
      return std::span(found).subspan(run.begin, run.end - run.begin);
    };
    if (next == i + 1) {
      state.add(rows_of(runs[i]));
      continue;
    }
    together.clear();
    for (size_t j = i; j < next; ++j) {
      const auto part = rows_of(runs[j]);
      together.insert(together.end(), part.begin(), part.end());
    }
    state.add(together);
  }
}

Coded coded(const BinarySpec& spec, const Rows& rows) {
  Coded found;
  read_rows(spec, rows, [&](const double* scores, const Code* outcomes, const double* weights, size_t n) {
    append(found.values, scores, n);
    append(found.codes, outcomes, n);
    if (weights) append(found.others, weights, n);
  });
  for (size_t i = 0; i < found.values.size(); ++i) {
    if (std::isfinite(found.values[i])) continue;
    found.codes[i] = Code(std::isnan(found.values[i]) ? Outcome::score_nan : Outcome::score_infinite);
    found.values[i] = 0;
  }
  return found;
}

Coded coded(const ConfusionSpec& spec, const Rows& rows) {
  Coded found;
  const ClassReader predictions = codes_of(spec.classes, rows.find(spec.prediction)),
                    labels = codes_of(spec.classes, rows.find(spec.label));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code predicted[kTile + 8], known[kTile + 8];
    predictions.read(begin, n, predicted);
    labels.read(begin, n, known);
    found.values.insert(found.values.end(), predicted, predicted + n);
    append(found.codes, known, static_cast<size_t>(n));
  });
  return found;
}

Coded coded(const RegressionSpec& spec, const Rows& rows) {
  Coded found;
  found.width = width_of(spec);
  read_rows(spec, rows,
            [&](const double* predictions, const double* labels, const Answer* answers, const double* bounds,
                size_t n) {
              append(found.others, labels, n);
              for (size_t i = 0; i < n; ++i) {
                found.codes.push_back(static_cast<Code>(answers[i]));
                found.values.push_back(predictions[i]);
                if (bounds) found.values.insert(found.values.end(), {bounds[i], bounds[kTile + i]});
              }
            });
  return found;
}

Coded coded(const MulticlassSpec& spec, const Rows& rows) {
  Coded found;
  found.width = spec.classes.size();
  read_rows(spec, rows, [&](const double* scores, const Code* labels, const uint8_t* amiss, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      found.codes.push_back(amiss[i] ? spec.classes.mistyped() : labels[i]);
      for (size_t c = 0; c < found.width; ++c) {
        const double in_place = c == 0 ? NAN : c == 1 ? amiss[i] - 1 : 0;
        found.values.push_back(amiss[i] ? in_place : scores[Multiclass::kStride * c + i]);
      }
    }
  });
  return found;
}

namespace {

Coded coded_codes(const Classes& classes, const Rows& rows, const std::string& label) {
  Coded found;
  const ClassReader labels = codes_of(classes, rows.find(label));
  for_tiles(rows, [&](int64_t begin, int64_t n) {
    Code known[kTile + 8];
    labels.read(begin, n, known);
    append(found.codes, known, static_cast<size_t>(n));
  });
  return found;
}

}  // namespace

Coded coded_labels(const BinarySpec& spec, const Rows& rows) {
  Coded found;
  read_labels(spec, rows, [&](int64_t, const Code* outcomes, int64_t n) {
    append(found.codes, outcomes, static_cast<size_t>(n));
  });
  return found;
}

Coded coded_labels(const ConfusionSpec& spec, const Rows& rows) {
  return coded_codes(spec.classes, rows, spec.label);
}

Coded coded_labels(const MulticlassSpec& spec, const Rows& rows) {
  return coded_codes(spec.classes, rows, spec.label);
}

Coded coded_labels(const RegressionSpec& spec, const Rows& rows) {
  Coded found;
  read_labels(spec, rows, [&](int64_t, const double* labels, const Answer* answers, int64_t n) {
    append(found.others, labels, static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) found.codes.push_back(static_cast<Code>(answers[i]));
  });
  return found;
}

namespace {

/// Throws SchemaError for what coded() never gives, so that whatever a file holds leaves the counts sound.
void require(bool sound) {
  if (!sound) throw SchemaError("outcomes: these are no rows that were read by these columns and classes");
}

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
}

template <class Add>
void for_tiles_of(size_t n_rows, Add add) {
  for (size_t begin = 0; begin < n_rows; begin += static_cast<size_t>(kTile)) {
    add(begin, std::min(static_cast<size_t>(kTile), n_rows - begin));
  }
}

}  // namespace

void add_coded(Binary& state, const Coded& rows) {
  const bool weighted = state.spec()->weighted();
  constexpr auto kLast = static_cast<Code>(Outcome::weight_unusable);
  require(rows.width == 1 && rows.values.size() == rows.codes.size() &&
          rows.others.size() == (weighted ? rows.codes.size() : 0));
  for (size_t i = 0; i < rows.codes.size(); ++i) {
    const Code code = rows.codes[i];
    require(code <= kLast && std::isfinite(rows.values[i]));
    if (weighted && code < kCounted) require(rows.others[i] >= 0 && rows.others[i] <= kMaxWeight);
  }
  for_tiles_of(rows.codes.size(), [&](size_t begin, size_t n) {
    Code codes[kTile + 8];  // what is read beyond the last row is not counted
    double values[kTile + 8] = {};
    std::copy_n(&rows.codes[begin], n, codes);
    std::copy_n(&rows.values[begin], n, values);
    state.update(values, codes, weighted ? &rows.others[begin] : nullptr, n);
  });
}

void add_coded(Confusion& state, const Coded& rows) {
  const Classes& classes = state.spec()->classes;
  require(rows.width == 1 && rows.values.size() == rows.codes.size() && rows.others.empty());
  std::vector<Code> predicted;
  for (size_t i = 0; i < rows.codes.size(); ++i) {
    require(rows.codes[i] <= classes.mistyped() && rows.values[i] >= 0 &&
            rows.values[i] <= classes.mistyped());
    predicted.push_back(static_cast<Code>(rows.values[i]));
  }
  state.update(predicted.data(), rows.codes.data(), rows.codes.size());
}

void add_coded(Multiclass& state, const Coded& rows) {
  const Classes& classes = state.spec()->classes;
  const size_t width = classes.size(), n_rows = rows.codes.size();
  require(rows.width == width && rows.values.size() == n_rows * width && rows.others.empty());
  for (size_t i = 0; i < n_rows; ++i) {
    const double* row = &rows.values[width * i];
    if (std::isnan(row[0])) {
      const bool is_home = row[1] >= 0 && row[1] < Multiclass::kScoreHomes && row[1] == std::floor(row[1]);
      require(is_home && rows.codes[i] == classes.mistyped());
      continue;
    }
    require(rows.codes[i] <= classes.mistyped());
    for (size_t c = 0; c < width; ++c) require(std::isfinite(row[c]));
  }
  std::vector<double> scores(Multiclass::kStride * width);
  for_tiles_of(n_rows, [&](size_t begin, size_t n) {
    uint8_t amiss[kTile] = {};
    for (size_t i = 0; i < n; ++i) {
      const double* row = &rows.values[width * (begin + i)];
      if (std::isnan(row[0])) amiss[i] = static_cast<uint8_t>(1 + row[1]);
      for (size_t c = 0; c < width; ++c) scores[Multiclass::kStride * c + i] = amiss[i] ? 0 : row[c];
    }
    state.update(scores.data(), &rows.codes[begin], amiss, n);
  });
}

void add_coded(Regression& state, const Coded& rows) {
  const size_t width = width_of(*state.spec()), n_rows = rows.codes.size();
  require(rows.width == width && rows.values.size() == n_rows * width && rows.others.size() == n_rows);
  require(all_finite(rows.others));
  std::vector<Answer> answers;
  for (size_t i = 0; i < n_rows; ++i) {
    require(rows.codes[i] < kAnswers && std::isfinite(rows.values[width * i]));
    const auto answer = static_cast<Answer>(rows.codes[i]);
    const double most = std::max(std::abs(rows.values[width * i]), std::abs(rows.others[i]));
    require(answer != Answer::labelled || most <= kMaxValue);
    answers.push_back(answer);
  }
  for_tiles_of(n_rows, [&](size_t begin, size_t n) {
    double predictions[kTile], bounds[2 * kTile];
    for (size_t i = 0; i < n; ++i) {
      const double* row = &rows.values[width * (begin + i)];
      predictions[i] = row[0];
      if (width == 3) bounds[i] = row[1], bounds[kTile + i] = row[2];
    }
    state.update(predictions, &rows.others[begin], &answers[begin], width == 3 ? bounds : nullptr, n);
  });
}

}  // namespace tidegauge::joint
