#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tidegauge/base/boxed.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/sketch/distinct.hpp"
#include "tidegauge/sketch/frequent.hpp"
#include "tidegauge/store/counts.hpp"

namespace tidegauge {

/// Sizes of texts, in bytes of their UTF-8.
struct TextSizes {
  uint64_t n_empty = 0, n_bytes = 0;
  uint64_t shortest = ~uint64_t{0}, longest = 0;  // meaningless without values

  bool operator==(const TextSizes&) const = default;
};

/// What counting a row takes where nothing asks for its text: found once, for rows that go to many columns.
struct TextFacts {
  static constexpr uint32_t kNull = ~uint32_t{0}, kMistyped = ~uint32_t{0} - 1;
  uint64_t size = 0;
  uint32_t cell = 0;  // of frozen categories, else 0
};

/// Texts, told apart by a keyed hash of 64 bits. Integers and booleans may be read as categories too, as the
/// decimal text of the number or "true" and "false".
class CategoryColumn final : public Column {
 public:
  explicit CategoryColumn(std::shared_ptr<const ColumnSpec> spec);
  std::unique_ptr<Column> clone() const override {
    return std::unique_ptr<Column>(new CategoryColumn(*this));
  }

  /// Reads every row of a column for columns of this spec, which must accept its type; what was found of row
  /// i goes to out[places[i]].
  static void read_facts(const ColumnSpec& spec, const arrow::ColumnView& view, Scratch& scratch,
                         const uint32_t* places, TextFacts* out);
  /// Adds rows by what read_facts found of them; only without distinct and frequent values.
  void update(std::span<const TextFacts> rows);
  using Column::update;

  const TextSizes& sizes() const { return sizes_; }
  /// With frozen categories: one cell each, then binning::kHashCells for all other values. Empty without.
  const store::Counts& cells() const { return cells_; }
  const Boxed<sketch::Distinct>& distinct() const { return distinct_; }
  /// Of all values; with frozen categories, of the values that are none of them.
  const Boxed<sketch::Frequent>& frequent() const { return frequent_; }
  size_t memory_bytes(uint64_t n_rows) const override;
  void prefetch() const override;

 private:
  CategoryColumn(const CategoryColumn&) = default;
  bool accepts(const arrow::Type& type) const override;
  void update_values(const arrow::ColumnView& view, Scratch& scratch) override;
  void merge_values(const Column& other) override;
  void encode_values(ByteWriter& out) const override;
  void decode_values(ByteReader& in) override;
  size_t n_cells() const override { return cells_.size(); }

  void update_by_code(const arrow::ColumnView& view, Scratch& scratch);
  void update_by_text(const arrow::ColumnView& view, Scratch& scratch);
  size_t room() const;
  void add_tally(Tally& tally);
  void add(std::string_view text, uint64_t hash, uint64_t count);
  void add_size(uint64_t size, uint64_t count);

  TextSizes sizes_;
  store::Counts cells_;
  Boxed<sketch::Distinct> distinct_;
  Boxed<sketch::Frequent> frequent_;
};

}  // namespace tidegauge
