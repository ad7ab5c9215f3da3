#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tidegauge/joint/outcomes.hpp"

namespace tidegauge::joint {

using OutcomeSpec = std::variant<std::shared_ptr<const BinarySpec>, std::shared_ptr<const ConfusionSpec>,
                                 std::shared_ptr<const RegressionSpec>, std::shared_ptr<const MulticlassSpec>,
                                 std::shared_ptr<const RankingSpec>>;

/// All that a profile counts of how right a model is: each of its states under a spec of its own.
///
/// The specs are part of the bytes, so that outcomes take rows, add up and are measured wherever they are
/// read. They need not be of all the profile's rows: each state tells how many it has.
class OutcomeSet {
 public:
  using State = std::variant<Binary, Confusion, Regression, Multiclass, Ranking>;

  OutcomeSet() = default;
  /// Throws SchemaError for two that are the same.
  explicit OutcomeSet(const std::vector<OutcomeSpec>& specs);

  /// Puts a state in its place. Throws SchemaError for one that is there.
  void add(State state);

  bool empty() const { return states_.empty(); }
  /// By the ids of their specs.
  const std::vector<State>& states() const { return states_; }
  std::vector<OutcomeSpec> specs() const;
  /// The columns that they read, each once.
  std::vector<std::string> columns() const;
  size_t memory_bytes() const;
  /// Of the state that has the most.
  uint64_t most_rows() const;

  /// Makes what rows need, so that little memory is asked for while they are added.
  void prepare() const;
  /// Adds rows; without one of the columns, as if all its values were null.
  void update(const Rows& rows);
  /// Throws MergeError unless merge(other) can be done: both count the same, or one side counts nothing.
  void check_mergeable(const OutcomeSet& other) const;
  void merge(const OutcomeSet& other);
  /// Gives rows that were added without labels those of `given`, which has the same rows with theirs, as if
  /// they had come with them, and takes those of `withdrawn` away: a row whose label was corrected is given
  /// twice and withdrawn once. Throws MergeError, and changes nothing, for rows that cannot have been added.
  void label(const OutcomeSet& given, const OutcomeSet& withdrawn);

  void encode(ByteWriter& out) const;
  /// Throws DecodeError, or SchemaError for specs that cannot be.
  static OutcomeSet decode(ByteReader& in);

 private:
  void require_different();
  OutcomeSet without_labels() const;

  std::vector<State> states_;
};

}  // namespace tidegauge::joint
