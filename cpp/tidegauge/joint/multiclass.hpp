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
#include "tidegauge/joint/tile.hpp"

namespace tidegauge::joint {

/// A score of each class, as a reference has frozen them; `id` names all of it.
struct MulticlassSpec {
  static constexpr size_t kMaxEdges = 199;  // 200 cells of each class

  std::vector<std::string> scores;  // a column for each class
  std::string label;
  Classes classes;
  std::vector<std::shared_ptr<const binning::Edges<double>>> edges;  // of each class's score
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const MulticlassSpec> make(std::vector<std::string> scores, std::string label,
                                                    std::vector<Classes::Value> classes,
                                                    std::vector<std::vector<double>> edges);
  size_t n_cells(size_t of_class) const { return edges[of_class]->values.size() + 1; }

  void encode(ByteWriter& out) const;
  static std::shared_ptr<const MulticlassSpec> decode(ByteReader& in);
};

/// Rows of a classifier that scores every class: by class, rows by the cell of its score, by whether it was
/// the highest of the row (of equal ones the last class is, as in scikit-learn's top-k accuracy), and by
/// whether the label is another class, this one, or none yet; rows by the rank of their label's score; and
/// sums of the log loss and of the Brier score, over labelled rows whose scores all lie in [0, 1].
///
/// Losses are summed in fixed point of 2^-40, so all of it is whole numbers: any order and any tree of merges
/// gives the same bytes, and a subtraction restores them.
class Multiclass {
 public:
  using Spec = MulticlassSpec;
  enum class Home : uint8_t {
    score_null,  // of any class
    score_mistyped,
    score_nan,
    score_infinite,
    label_unknown,
    label_mistyped,
  };
  static constexpr size_t kHomes = 6, kScoreHomes = 4;
  static constexpr size_t kOutcomes = 3, kSlots = 2 * kOutcomes;  // of a cell
  static constexpr size_t kMaxRanks = 10;
  static constexpr size_t kStride = static_cast<size_t>(kTile) + 8;  // of scores, class after class
  enum Loss : size_t { log_loss, log_loss_squared, brier, brier_squared };
  static constexpr size_t kLosses = 4;

  explicit Multiclass(std::shared_ptr<const MulticlassSpec> spec);

  const std::shared_ptr<const MulticlassSpec>& spec() const { return spec_; }
  uint64_t n_rows() const { return n_rows_; }
  uint64_t home(Home home) const { return homes_[static_cast<size_t>(home)]; }
  /// Of a class: cell after cell; within it not the highest, then the highest; within these the outcomes.
  const std::vector<uint64_t>& counts(size_t of_class) const { return counts_[of_class]; }
  /// Labelled rows whose label's score is the (i + 1)-th highest.
  const std::vector<uint64_t>& ranks() const { return ranks_; }
  /// Rows that the losses are of, and those whose label had a score beyond what a logarithm is taken of.
  uint64_t n_probable() const { return n_probable_; }
  uint64_t n_clipped() const { return n_clipped_; }
  /// In units of 2^-40.
  int128 loss(Loss of) const { return losses_[of]; }

  /// Adds n <= kTile rows by their finite scores [classes, kStride] and the codes of their labels; `amiss` is
  /// 0 for a row with all its scores, else 1 + the Home that it has.
  void update(const double* scores, const Code* labels, const uint8_t* amiss, size_t n);
  /// Of an equal spec.
  void merge(const Multiclass& other);
  /// Takes away rows that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const Multiclass& other);
  /// The same rows before their labels came.
  Multiclass without_labels() const;
  bool operator==(const Multiclass& other) const;

  void encode(ByteWriter& out) const;
  static Multiclass decode(ByteReader& in, std::shared_ptr<const MulticlassSpec> spec);

 private:
  /// Whether no rows have these counts; they may be of any size.
  bool broken() const;
  template <class Other, class Join>
  void join(Other& other, Join join_one);

  std::shared_ptr<const MulticlassSpec> spec_;
  std::vector<std::vector<uint64_t>> counts_;
  std::vector<uint64_t> ranks_;
  std::array<uint64_t, kHomes> homes_{};
  std::array<int128, kLosses> losses_{};
  uint64_t n_rows_ = 0, n_probable_ = 0, n_clipped_ = 0;
};

}  // namespace tidegauge::joint
