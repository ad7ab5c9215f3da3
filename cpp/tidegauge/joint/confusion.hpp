#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/joint/classes.hpp"

namespace tidegauge::joint {

/// The classes that predictions and labels are counted by, frozen by a reference and named by `id`.
struct ConfusionSpec {
  std::string prediction, label;  // columns
  Classes classes;
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const ConfusionSpec> make(std::string prediction, std::string label,
                                                   std::vector<Classes::Value> classes);
  void encode(ByteWriter& out) const;
  static std::shared_ptr<const ConfusionSpec> decode(ByteReader& in);
};

/// Rows by predicted class and label: a row of the matrix for each class and any other value, a column for
/// each of these and for no label. Counts, so that any order and any tree of merges gives the same bytes.
class Confusion {
 public:
  using Spec = ConfusionSpec;
  enum class Home : uint8_t { prediction_null, prediction_mistyped, label_mistyped };
  static constexpr size_t kHomes = 3;

  explicit Confusion(std::shared_ptr<const ConfusionSpec> spec);

  const std::shared_ptr<const ConfusionSpec>& spec() const { return spec_; }
  size_t n_rows_of_matrix() const { return spec_->classes.size() + 1; }
  size_t n_columns_of_matrix() const { return spec_->classes.size() + 2; }
  uint64_t n_rows() const { return n_rows_; }
  uint64_t home(Home home) const { return homes_[static_cast<size_t>(home)]; }
  /// Row after row.
  const std::vector<uint64_t>& counts() const { return counts_; }

  /// Adds n rows by the codes of their classes.
  void update(const Code* predictions, const Code* labels, size_t n);
  /// Of an equal spec.
  void merge(const Confusion& other);
  /// Takes away rows that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const Confusion& other);
  /// The same rows before their labels came.
  Confusion without_labels() const;
  bool operator==(const Confusion& other) const;

  void encode(ByteWriter& out) const;
  static Confusion decode(ByteReader& in, std::shared_ptr<const ConfusionSpec> spec);

 private:
  std::shared_ptr<const ConfusionSpec> spec_;
  std::vector<uint64_t> counts_;
  std::array<uint64_t, kHomes> homes_{};
  uint64_t n_rows_ = 0;
};

}  // namespace tidegauge::joint
