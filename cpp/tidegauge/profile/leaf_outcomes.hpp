#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/joint/outcomes.hpp"
#include "tidegauge/profile/leaf_tree.hpp"

namespace tidegauge {

/// By what rows are counted leaf by leaf: a tree, and a binary classifier's outcomes in few cells, without a
/// weight. Frozen by a reference and named by `id`.
struct LeafSpec {
  static constexpr size_t kMaxEdges = 127;

  std::shared_ptr<const LeafTree> tree;
  std::shared_ptr<const joint::BinarySpec> outcome;
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const LeafSpec> make(LeafTree tree,
                                              std::shared_ptr<const joint::BinarySpec> outcome);
  void encode(ByteWriter& out) const;
  static std::shared_ptr<const LeafSpec> decode(ByteReader& in);
};

/// The columns that are read, each once.
std::vector<std::string> columns_of(const LeafSpec& spec);

/// Rows by leaf, cell of the score and label: counts alone, so that they add and subtract exactly, in any
/// order. Rows that BinaryOutcomes has no cell for are `n_homeless`, whatever their leaf.
class LeafOutcomes {
 public:
  using Spec = LeafSpec;

  explicit LeafOutcomes(std::shared_ptr<const LeafSpec> spec);

  const std::shared_ptr<const LeafSpec>& spec() const { return spec_; }
  uint64_t n_rows() const { return n_rows_; }
  uint64_t n_homeless() const { return n_homeless_; }
  size_t n_cells() const { return spec_->outcome->n_cells(); }
  /// [leaves][cells][joint::kCounted].
  const std::vector<uint64_t>& counts() const { return counts_; }
  size_t memory_bytes() const { return sizeof *this + counts_.size() * sizeof(uint64_t); }

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
  std::shared_ptr<const LeafSpec> spec_;
  std::vector<uint64_t> counts_;
  uint64_t n_rows_ = 0, n_homeless_ = 0;
};

inline void add_rows(LeafOutcomes& state, const joint::Rows& rows) { state.update(rows); }

}  // namespace tidegauge
