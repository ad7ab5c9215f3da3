#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegauge/arrow/view.hpp"
#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// The values that tell one column's segments apart, numbered from 1 as they come; 0 is a row without one.
/// A value is a text of UTF-8 (bytes that are none are written \xhh), so that what Python calls by one name
/// is one segment.
class SegmentValues {
 public:
  static constexpr uint32_t kMissing = 0, kTooLong = ~uint32_t{0} - 1, kUnknown = ~uint32_t{0};
  static constexpr size_t kMaxBytes = 256;  // longer ones have no number

  SegmentValues();

  /// The number of a text: kUnknown if it has none, kTooLong if it can have none.
  uint32_t find(std::string_view text) const;
  /// Its number, a new one if it has none.
  uint32_t add(std::string_view text);
  /// Nothing for kMissing.
  const std::optional<std::string>& text(uint32_t number) const { return texts_[number]; }

  /// The number of every row of a column, which `is_readable` has been asked of.
  void number_rows(const arrow::ColumnView& view, Scratch& scratch, uint32_t* out) const;

  size_t memory_bytes() const;

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t number = 0;  // 0: empty
  };

  uint32_t find_exactly(std::string_view text, uint64_t hash) const;
  void number_codes(const arrow::ColumnView& view, Scratch& scratch, uint32_t* out) const;
  void place(uint64_t hash, uint32_t number);

  std::vector<std::optional<std::string>> texts_;
  std::vector<Slot> slots_;  // linear probing, at most half full; keyed by process
  size_t n_text_bytes_ = 0;
};

/// Whether a column of this type can tell segments apart; `spec` says how the column is profiled, or null.
/// Texts, booleans and whole numbers can; where values are profiled, those that their column counts as
/// present.
bool tells_segments(const ColumnSpec* spec, const arrow::Type& type);

}  // namespace tidegauge
