#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tidegauge/arrow/view.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/binning/categories.hpp"
#include "tidegauge/binning/edges.hpp"

namespace tidegauge {

/// The number type that a column's values are converted to, exactly or not at all.
enum class State : uint8_t { none, f64, i64 };

/// Optional accumulators of a column, as bits. Homes, moments and cells are always there.
namespace accumulate {
inline constexpr uint8_t kDistinct = 1;     // numbers, times, categories
inline constexpr uint8_t kQuantiles = 2;    // numbers: KLL; with edges, of the values outside them
inline constexpr uint8_t kExponential = 4;  // numbers: base-2 exponential histogram
inline constexpr uint8_t kFrequent = 8;     // categories: names; with frozen categories, of the unseen values
inline constexpr uint8_t kCovariance = 16;  // embeddings of at most 256 floats: sums of products
inline constexpr uint8_t kAll = 31;
}  // namespace accumulate

/// Everything about a column that is fixed before its first row.
struct ColumnSpec {
  std::string name;
  std::string role = "feature";
  arrow::Kind kind = arrow::Kind::unsupported;
  State state = State::none;                     // numbers and times
  arrow::TimeUnit unit = arrow::TimeUnit::none;  // times
  int32_t width = 0;                             // embeddings: floats in a row
  uint8_t accumulators = 0;
  bool counted_only = false;  // ids and unsupported columns: rows and nulls, no values
  bool keep_values = true;    // categories: names may be stored
  uint64_t seed = kDefaultSeed;

  /// Names the frozen edges or categories; 0 without. Known even where the edges themselves are not at hand,
  /// as after loading a profile on another machine: then it merges and compares, but takes no rows.
  uint64_t edges_id = 0;
  std::shared_ptr<const binning::Edges<double>> edges_f64;
  std::shared_ptr<const binning::Edges<int64_t>> edges_i64;
  std::shared_ptr<const binning::Categories> categories;

  bool frozen() const { return edges_id != 0; }
  bool detached() const { return frozen() && !edges_f64 && !edges_i64 && !categories; }

  /// Attaches edges or categories and takes their id.
  void freeze(std::shared_ptr<const binning::Edges<double>> edges);
  void freeze(std::shared_ptr<const binning::Edges<int64_t>> edges);
  void freeze(std::shared_ptr<const binning::Categories> frozen_categories);

  /// Makes what rows need and has not been made yet, so that no memory is asked for while they are added.
  void prepare() const {
    if (edges_f64) edges_f64->grid();
    if (edges_i64) edges_i64->grid();
  }

  /// Throws SchemaError where the parts contradict each other.
  void check() const;

  /// Throws MergeError, naming the column and the remedy, unless summaries of both can be added.
  void check_mergeable(const ColumnSpec& other) const;

  void encode(ByteWriter& out) const;
  static ColumnSpec decode(ByteReader& in);
};

const char* name_of(arrow::Kind kind);
const char* name_of(arrow::TimeUnit unit);

/// What a column of this type is profiled as when nobody said otherwise.
ColumnSpec default_spec(const arrow::Field& field, uint8_t accumulators);

}  // namespace tidegauge
