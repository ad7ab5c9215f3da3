#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/int128.hpp"
#include "tidegauge/binning/edges.hpp"
#include "tidegauge/joint/classes.hpp"

namespace tidegauge::joint {

/// What a binary classifier is counted by, frozen by a reference. `id` names all of it: counts add up if and
/// only if their ids are equal.
struct BinarySpec {
  static constexpr size_t kMaxEdges = 999;  // 1,000 cells

  std::string score, label, weight;  // columns; no weight: ""
  std::shared_ptr<const binning::Edges<double>> edges;
  Classes classes;  // negative and positive; or only the positive, and any other value is negative
  double scale =
      1;  // scores times this are what is summed: 1 / (a power of two, at least 1 and every |edge|)
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const BinarySpec> make(std::string score, std::string label, std::string weight,
                                                std::vector<double> edges,
                                                std::vector<Classes::Value> classes);
  bool weighted() const { return !weight.empty(); }
  size_t n_cells() const { return edges->values.size() + 1; }

  void encode(ByteWriter& out) const;
  static std::shared_ptr<const BinarySpec> decode(ByteReader& in);
};

/// What became of a row: one of three counted in the cell of its score, or why it has none.
enum class Outcome : uint8_t {
  negative,
  positive,
  unlabelled,
  score_null,
  score_mistyped,
  score_nan,
  score_infinite,
  label_unknown,
  label_mistyped,
  weight_unusable,  // null, mistyped, not finite, negative, or above kMaxWeight
};
inline constexpr size_t kCounted = 3, kHomes = 7;
inline constexpr double kMaxWeight = 0x1p100;  // no sum of 2^62 of them leaves a double

/// Rows by the cell of their score and their outcome.
///
/// Scores are summed in fixed point (kernels::Table::fixed_f64), so that the sums are exact whole numbers:
/// neither order, split nor tree of merges shows, and a subtraction leaves what was there before. A score is
/// rounded by at most 2^-41 of the spec's power of two. One beyond 32 times that power is summed as if it lay
/// there, and counted in n_clipped. Weighted sums are doubles, added row by row: no split shows, a tree of
/// merges may in the last digits.
class Binary {
 public:
  using Spec = BinarySpec;
  struct Sums {
    int128 z = 0, squares = 0;  // of scores times spec.scale, in 2^-kernels::kFixedBits
  };
  struct Weights {
    double n = 0, z = 0, squares = 0;  // of w, w z and w z^2
  };

  explicit Binary(std::shared_ptr<const BinarySpec> spec);

  const std::shared_ptr<const BinarySpec>& spec() const { return spec_; }
  uint64_t n_rows() const { return n_rows_; }
  uint64_t n_clipped() const { return n_clipped_; }
  uint64_t home(Outcome outcome) const { return slots_[home_at(outcome)].n; }
  /// Of a slot: kCounted * cell + outcome.
  uint64_t count(size_t slot) const { return slots_[slot].n; }
  Sums sums(size_t slot) const;
  /// Empty where the spec has no weight.
  const std::vector<Weights>& weights() const { return weights_; }
  /// The sum of w^2 over the rows of one of the counted outcomes: (sum of w)^2 over it is how many rows of
  /// one weight would tell as much (Kish).
  double weight_squares(Outcome outcome) const { return weight_squares_[static_cast<size_t>(outcome)]; }

  /// Adds n <= kTile rows; `outcomes` hold an Outcome each. Scores are finite, also those of rows that have
  /// no cell; `weights` is null or usable wherever the outcome is counted. Together there may be 2^62 rows.
  void update(const double* scores, const Code* outcomes, const double* weights, size_t n);
  /// Of an equal spec.
  void merge(const Binary& other);
  /// Takes away rows that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const Binary& other);
  /// The same rows before their labels came.
  Binary without_labels() const;
  bool operator==(const Binary& other) const;

  void encode(ByteWriter& out) const;
  static Binary decode(ByteReader& in, std::shared_ptr<const BinarySpec> spec);

 private:
  /// What was added since the sums were last settled, so little that 64 bits hold it; the count for good. The
  /// two sums are one vector, and no slot lies in two cache lines: that is a quarter of what counting costs.
  struct alignas(32) Slot {
    int64_t z = 0, squares = 0;
    uint64_t n = 0;
  };

  size_t n_counted() const { return kCounted * spec_->n_cells(); }
  size_t home_at(Outcome outcome) const { return n_counted() + static_cast<size_t>(outcome) - kCounted; }
  void update_finite(const double* scores, const Code* outcomes, const double* weights, size_t n);
  /// Makes room for sums of so much more.
  void reserve(uint64_t more);
  void settle();
  /// Whether there is a row of an outcome.
  bool has(size_t outcome) const;
  /// Why no rows have these sums, or null.
  const char* broken() const;

  std::shared_ptr<const BinarySpec> spec_;
  std::vector<Slot> slots_;       // n_counted(), then the homes
  std::vector<Sums> settled_;     // of the counted; empty while slots_ hold it all
  std::vector<Weights> weights_;  // of the counted, or empty
  std::array<double, kCounted> weight_squares_{};
  uint64_t reach_ = 0;  // no sum in slots_ is larger
  uint64_t n_rows_ = 0, n_clipped_ = 0;
};

}  // namespace tidegauge::joint
