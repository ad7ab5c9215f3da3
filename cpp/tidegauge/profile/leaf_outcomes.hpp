#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "tidegauge/joint/outcomes.hpp"
#include "tidegauge/profile/leaf_tree.hpp"

namespace tidegauge {

/// By what rows are counted leaf by leaf: a tree, and what is judged. A binary classifier's score is told by
/// cell, few of them, and has no weight; a predicted number only by whether the row has a label. Frozen by a
/// reference and named by `id`.
struct LeafSpec {
  static constexpr size_t kMaxEdges = 127;
  using Judged =
      std::variant<std::shared_ptr<const joint::BinarySpec>, std::shared_ptr<const joint::RegressionSpec>>;

  std::shared_ptr<const LeafTree> tree;
  Judged judged;
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const LeafSpec> make(LeafTree tree, Judged judged);
  const std::string& label() const;
  /// Of the score; one of a predicted number.
  size_t n_cells() const;

  void encode(ByteWriter& out) const;
  static std::shared_ptr<const LeafSpec> decode(ByteReader& in);
};

/// The columns that are read, each once.
std::vector<std::string> columns_of(const LeafSpec& spec);

/// Rows by leaf, cell of the score and outcome: counts alone, so that they add and subtract exactly, in any
/// order. A labelled row of a predicted number is counted as `negative`, for want of a better. Rows without a
/// usable score or prediction, or of a label that is none, are `n_homeless`, whatever their leaf.
class LeafOutcomes {
 public:
  using Spec = LeafSpec;

  explicit LeafOutcomes(std::shared_ptr<const LeafSpec> spec);

  const std::shared_ptr<const LeafSpec>& spec() const { return spec_; }
  uint64_t n_rows() const { return n_rows_; }
  uint64_t n_homeless() const { return slots_.back(); }
  size_t n_cells() const { return spec_->n_cells(); }
  /// [leaves][cells][joint::kCounted].
  std::span<const uint64_t> counts() const { return std::span(slots_).first(slots_.size() - 1); }
  size_t memory_bytes() const { return sizeof *this + slots_.size() * sizeof(uint64_t); }

  /// Makes what rows need, so that little memory is asked for while they are added.
  void prepare() const;
  /// Adds rows that have been checked; together there may be 2^62. Throws nothing but for memory.
  void update(const joint::Rows& rows);
  /// Of an equal spec, together at most 2^62 rows.
  void merge(const LeafOutcomes& other);
  /// Takes away rows that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const LeafOutcomes& other);
  bool operator==(const LeafOutcomes& other) const;

  void encode(ByteWriter& out) const;
  static LeafOutcomes decode(ByteReader& in, std::shared_ptr<const LeafSpec> spec);

 private:
  void update(const joint::BinarySpec& spec, const joint::Rows& rows);
  void update(const joint::RegressionSpec& spec, const joint::Rows& rows);

  std::shared_ptr<const LeafSpec> spec_;
  std::vector<uint64_t> slots_;  // the counts, then the homeless
  uint64_t n_rows_ = 0;
};

inline void add_rows(LeafOutcomes& state, const joint::Rows& rows) { state.update(rows); }

}  // namespace tidegauge
