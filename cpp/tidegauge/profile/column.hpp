#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tidegauge/arrow/view.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/joint/scores.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "tidegauge/profile/spec.hpp"
#include "tidegauge/profile/tally.hpp"

namespace tidegauge {

inline constexpr uint64_t kMaxRows = uint64_t{1} << 62;  // of a profile: no count and no sum of two overflows

inline constexpr int64_t kTile = 2048;     // rows at a time: what they need stays in the first-level cache
inline constexpr int64_t kTextTile = 512;  // the same for texts, whose views are twice as wide

/// Working memory of one thread; holds nothing between calls.
struct Scratch {
  alignas(64) double reals[kTile + 8];
  alignas(64) int64_t integers[kTile + 8];
  alignas(64) double finite[kTile + 8];
  alignas(64) uint64_t hashes[kTile + 8];
  alignas(64) uint32_t counts[4 * 288];
  bool tables = false;             // whether cells of the array at hand are counted there
  kernels::CellScores scores;      // of the column at hand: where its rows' scores go
  int8_t packed_scores[2][kTile];  // without the rows that have no value; without those not finite
  uint64_t words[kTile / 64];
  std::string_view texts[kTile];
  std::vector<uint32_t> codes;        // of a tile
  std::vector<uint32_t> code_counts;  // of a dictionary
  std::vector<char> digits;           // numbers written as texts
  Tally tally;
  joint::Scores together;  // of the rows at hand, of all columns that are watched together
};

/// Has memory that will be written fetched into the cache.
inline void prefetch_lines(const void* memory, size_t n_bytes) {
  const auto* at = static_cast<const char*>(memory);
  for (size_t i = 0; i < n_bytes; i += 64) __builtin_prefetch(at + i, 1);
}

/// This thread's own.
Scratch& thread_scratch();

/// Where the rows that carry no usable value are counted. Together with the present values they add up to
/// n_rows.
struct Homes {
  uint64_t n_rows = 0, n_absent = 0, n_null = 0, n_mistyped = 0, n_nan = 0, n_pos_inf = 0, n_neg_inf = 0;

  uint64_t without_value() const { return n_absent + n_null + n_mistyped + n_nan + n_pos_inf + n_neg_inf; }
  void merge(const Homes& other);
  void encode(ByteWriter& out) const;
  static Homes decode(ByteReader& in);
  bool operator==(const Homes&) const = default;
};

/// The state of one column: its homes and whatever accumulators its kind and spec call for.
class Column {
 public:
  static std::unique_ptr<Column> make(std::shared_ptr<const ColumnSpec> spec);
  static std::unique_ptr<Column> decode(std::shared_ptr<const ColumnSpec> spec, ByteReader& in);
  virtual ~Column() = default;
  Column& operator=(const Column&) = delete;

  const ColumnSpec& spec() const { return *spec_; }
  const std::shared_ptr<const ColumnSpec>& shared_spec() const { return spec_; }
  const Homes& homes() const { return homes_; }
  uint64_t n_present() const { return homes_.n_rows - homes_.without_value(); }

  /// Adds all rows of an array whose rows have been checked. Rows of another kind are counted as mistyped.
  /// Writes the score of every row that has a value, if a table is given; the others' are left as they are.
  void update(const arrow::ColumnView& view, Scratch& scratch, const kernels::CellScores& scores = {});
  /// How many cells there can be scores of; 0 for kinds that have none.
  virtual size_t n_scored_cells() const { return 0; }
  /// Counts rows of batches in which the column did not appear.
  void add_absent(uint64_t n_rows);
  /// Whether all that came so far were nulls without a type, so that the first typed rows decide what it is.
  bool is_blank() const {
    return spec().kind == arrow::Kind::unsupported && spec().counted_only && n_present() == 0;
  }
  /// Adds the rows of a column that has no values.
  void merge_homes(const Column& other) { homes_.merge(other.homes_); }

  /// Throws MergeError unless merge(other) can be done.
  void check_mergeable(const Column& other) const;
  void merge(const Column& other);
  /// Its spec with the edges of one with the same edges_id, or with its categories' names. Throws SchemaError
  /// where they do not fit the kind, DecodeError where the column was read from bytes that count another
  /// number of cells.
  std::shared_ptr<const ColumnSpec> attached(const ColumnSpec& from) const;
  /// Takes over what `attached` gave.
  void attach(std::shared_ptr<const ColumnSpec> spec) noexcept { spec_ = std::move(spec); }

  void encode(ByteWriter& out) const;
  virtual std::unique_ptr<Column> clone() const = 0;

  /// What it holds, about, once it has n_rows rows.
  virtual size_t memory_bytes(uint64_t n_rows) const = 0;
  /// Has what an update will touch fetched into the cache.
  virtual void prefetch() const {}

 protected:
  explicit Column(std::shared_ptr<const ColumnSpec> spec) : spec_(std::move(spec)) {}
  Column(const Column&) = default;

  virtual bool accepts(const arrow::Type& type) const = 0;
  virtual void update_values(const arrow::ColumnView& view, Scratch& scratch) = 0;
  virtual void merge_values(const Column& other) = 0;
  virtual void encode_values(ByteWriter& out) const = 0;
  virtual void decode_values(ByteReader& in) = 0;
  virtual size_t n_cells() const { return 0; }

  std::shared_ptr<const ColumnSpec> spec_;
  Homes homes_;
};

}  // namespace tidegauge
