#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/binning/edges.hpp"

namespace tidegauge::joint {

/// What a regression is counted by, frozen by a reference and named by `id`.
struct RegressionSpec {
  static constexpr size_t kMaxEdges = 999;

  std::string prediction, label;                        // columns
  std::string lower, upper;                             // of an interval that is predicted; or both ""
  std::shared_ptr<const binning::Edges<double>> edges;  // of the residual, prediction - label
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const RegressionSpec> make(std::string prediction, std::string label,
                                                    std::vector<double> edges, std::string lower = "",
                                                    std::string upper = "");
  bool bounded() const { return !lower.empty(); }
  void encode(ByteWriter& out) const;
  static std::shared_ptr<const RegressionSpec> decode(ByteReader& in);
};

/// What became of a row: counted, or why not.
enum class Answer : uint8_t {
  labelled,
  unlabelled,  // null or NaN
  prediction_null,
  prediction_mistyped,
  prediction_nan,
  prediction_infinite,
  label_mistyped,
  label_infinite,
  beyond,  // prediction or label beyond +-kMaxValue
};
inline constexpr size_t kAnswers = 9;
inline constexpr double kMaxValue = 0x1p470;  // no sum of 2^62 squares of differences leaves a double

/// Where a label lies to the interval that was predicted for it.
enum class Side : uint8_t { below, inside, above };
inline constexpr size_t kSides = 3;

/// Sums of the residual e = prediction - label, of the label y and of relative errors, rows by the cell of e,
/// and rows by the side of a predicted interval that the label is on.
///
/// Relative are |e / y| of rows whose label is not 0 (nor so near that this leaves kMaxValue), 2 |e| / (|y| +
/// |prediction|), 0 where both are 0, and log(1 + prediction) - log(1 + y) of rows where both are above -1.
/// Sums are compensated and added row by row: no split of the rows shows; the order and the tree of merges
/// may in the last digits.
class Regression {
 public:
  using Spec = RegressionSpec;
  /// `value + rest` is the sum to twice a double's digits.
  struct Sum {
    double value = 0, rest = 0;
    bool operator==(const Sum&) const = default;
  };
  enum Of : size_t {
    residual,
    squared,
    absolute,
    label,
    label_squared,
    over_squared,  // e^2 where e > 0
    relative,
    relative_squared,
    symmetric,
    symmetric_squared,
    log_squared,
    log_fourth,
  };
  static constexpr size_t kSums = 12;

  explicit Regression(std::shared_ptr<const RegressionSpec> spec);

  const std::shared_ptr<const RegressionSpec>& spec() const { return spec_; }
  uint64_t n_rows() const;
  uint64_t answers(Answer answer) const { return answers_[static_cast<size_t>(answer)]; }
  double sum(Of of) const { return sums_[of].value + sums_[of].rest; }
  const std::vector<uint64_t>& cells() const { return cells_; }
  /// Rows that a sum is of: all that are labelled, or those with a relative error or with logarithms.
  uint64_t rows_of(Of of) const;
  /// Labelled rows on this side of their interval; those without a usable one are on none.
  uint64_t side(Side side) const { return sides_[static_cast<size_t>(side)]; }

  /// Adds n <= kTile rows; what is no number of a labelled row is 0. `bounds` is null, or [2, kTile]: the
  /// lower and the upper bounds, NaN where there is none.
  void update(const double* predictions, const double* labels, const Answer* answers, const double* bounds,
              size_t n);
  /// Of an equal spec.
  void merge(const Regression& other);
  /// Takes away rows that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const Regression& other);
  /// The same rows before their labels came.
  Regression without_labels() const;
  bool operator==(const Regression& other) const;

  void encode(ByteWriter& out) const;
  static Regression decode(ByteReader& in, std::shared_ptr<const RegressionSpec> spec);

 private:
  uint64_t n() const { return answers(Answer::labelled); }
  /// Whether more rows are in a part than in all.
  bool impossible() const;

  std::shared_ptr<const RegressionSpec> spec_;
  std::array<uint64_t, kAnswers> answers_{};
  std::array<Sum, kSums> sums_{};
  std::vector<uint64_t> cells_;
  uint64_t n_relative_ = 0, n_logs_ = 0;
  std::array<uint64_t, kSides> sides_{};
};

}  // namespace tidegauge::joint
