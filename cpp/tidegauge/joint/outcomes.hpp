#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/base/at_fork.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/joint/binary.hpp"
#include "tidegauge/joint/confusion.hpp"
#include "tidegauge/joint/multiclass.hpp"
#include "tidegauge/joint/ranking.hpp"
#include "tidegauge/joint/regression.hpp"
#include "tidegauge/joint/tile.hpp"

namespace tidegauge::joint {

/// Columns of the same rows, which have been checked, by name.
class Rows {
 public:
  explicit Rows(int64_t n_rows) : n_rows_(n_rows) {}
  /// Those of these names that a batch has, which has been looked at: each once, its rows checked.
  Rows(const arrow::Batch& batch, std::span<const std::string> names);
  /// The same of a batch that nobody has looked at. Throws SchemaError for a name that it has twice,
  /// ArrowError for rows that point outside their buffers.
  static Rows checked(const arrow::Batch& batch, std::span<const std::string> names);

  void add(std::string name, arrow::ColumnView column) {
    columns_.emplace_back(std::move(name), std::move(column));
  }
  int64_t n_rows() const { return n_rows_; }
  const std::vector<std::pair<std::string, arrow::ColumnView>>& columns() const { return columns_; }
  /// Null if it did not come.
  const arrow::ColumnView* find(const std::string& name) const;
  /// Rows [begin, begin + n).
  Rows slice(int64_t begin, int64_t n) const;

 private:
  int64_t n_rows_;
  std::vector<std::pair<std::string, arrow::ColumnView>> columns_;
};

// The columns that a state reads.
std::vector<std::string> columns_of(const BinarySpec& spec);
std::vector<std::string> columns_of(const ConfusionSpec& spec);
std::vector<std::string> columns_of(const RegressionSpec& spec);
std::vector<std::string> columns_of(const MulticlassSpec& spec);
std::vector<std::string> columns_of(const RankingSpec& spec);

// Adds rows. Without the column of the score, the prediction, the label or the weight it is as if all its
// values were null: labels come later. Throws nothing but for memory.
void add_rows(Binary& state, const Rows& rows);
void add_rows(Confusion& state, const Rows& rows);
void add_rows(Regression& state, const Rows& rows);
void add_rows(Multiclass& state, const Rows& rows);
/// The rows of a query are those of equal value in these rows, next to each other or not.
void add_rows(Ranking& state, const Rows& rows);

// For whoever counts the same rows in another way: calls use(begin, ...) for each tile of at most kTile rows
// with what Binary::update takes of it (so NaN and infinite scores are among them), or with the answers.
void for_scored_tiles(const BinarySpec& spec, const Rows& rows,
                      const std::function<void(int64_t, const double*, Code*, size_t)>& use);
void for_predicted_tiles(const RegressionSpec& spec, const Rows& rows,
                         const std::function<void(int64_t, const Answer*, size_t)>& use);

/// Rows as a state sees them, for later: each `width` numbers (the score, or the prediction: of a matrix its
/// code, of an interval its bounds behind it, NaN where there are none; of many classes the score of each, or
/// NaN and then the Home of a row that lacks one), what became of it (an Outcome, the code of a label, or an
/// Answer), and the weight or the label's number where there is one.
struct Coded {
  std::vector<double> values;
  std::vector<Code> codes;
  std::vector<double> others;
  size_t width = 1;
};
Coded coded(const BinarySpec& spec, const Rows& rows);
Coded coded(const ConfusionSpec& spec, const Rows& rows);
Coded coded(const RegressionSpec& spec, const Rows& rows);
Coded coded(const MulticlassSpec& spec, const Rows& rows);
// Of labels alone: what becomes of a row that has them and nothing amiss; without `values`.
Coded coded_labels(const BinarySpec& spec, const Rows& rows);
Coded coded_labels(const ConfusionSpec& spec, const Rows& rows);
Coded coded_labels(const RegressionSpec& spec, const Rows& rows);
Coded coded_labels(const MulticlassSpec& spec, const Rows& rows);
// Adds such rows. Throws SchemaError, and adds none, for what cannot have been read so.
void add_coded(Binary& state, const Coded& rows);
void add_coded(Confusion& state, const Coded& rows);
void add_coded(Regression& state, const Coded& rows);
void add_coded(Multiclass& state, const Coded& rows);

/// One of these, for several threads: each call has it alone.
template <class State>
class Outcomes {
 public:
  using Spec = typename State::Spec;

  explicit Outcomes(std::shared_ptr<const Spec> spec) : Outcomes(State(std::move(spec))) {}
  explicit Outcomes(State state) : spec_(state.spec()), state_(std::move(state)) {}

  const Spec& spec() const { return *spec_; }
  const std::shared_ptr<const Spec>& shared_spec() const { return spec_; }

  /// As it is now.
  State state() const {
    const std::lock_guard guard(mutex_);
    return state_;
  }

  void update(const arrow::Batch& batch) {
    const std::lock_guard guard(mutex_);
    if (static_cast<uint64_t>(batch.n_rows()) > kMaxRows - state_.n_rows()) {
      throw SchemaError("outcomes: more than 2^62 rows; start another one");
    }
    add_rows(state_, Rows::checked(batch, columns_of(*spec_)));
  }

  void update(const Coded& rows) {
    const std::lock_guard guard(mutex_);
    if (rows.codes.size() > kMaxRows - state_.n_rows()) {
      throw SchemaError("outcomes: more than 2^62 rows; start another one");
    }
    add_coded(state_, rows);
  }

  void merge(const Outcomes& other) {
    const State theirs = other.state();
    const std::lock_guard guard(mutex_);
    require_equal(theirs);
    if (theirs.n_rows() > kMaxRows - state_.n_rows()) {
      throw MergeError("outcomes: more than 2^62 rows together; keep them apart");
    }
    state_.merge(theirs);
  }

  void subtract(const Outcomes& other) {
    const State theirs = other.state();
    const std::lock_guard guard(mutex_);
    require_equal(theirs);
    state_.subtract(theirs);
  }

  /// The spec, then the counts.
  void encode(ByteWriter& out) const {
    spec_->encode(out);
    state().encode(out);
  }
  static State decode(ByteReader& in) {
    try {
      State state = State::decode(in, Spec::decode(in));
      in.expect_end("outcomes");
      return state;
    } catch (const SchemaError& error) {  // nobody's mistake but that of the bytes
      throw DecodeError(error.what());
    }
  }

 private:
  void require_equal(const State& theirs) const {
    if (theirs.spec()->id == spec_->id) return;
    throw MergeError(
        "outcomes: the two sides name other columns, edges or classes; count both with the same reference");
  }

  std::shared_ptr<const Spec> spec_;
  mutable ForkSafeMutex mutex_;
  State state_;
};

}  // namespace tidegauge::joint
