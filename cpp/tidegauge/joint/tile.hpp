#pragma once

#include <algorithm>
#include <cstdint>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::joint {

/// Rows read at a time: what they need stays in the first-level cache, beside what they change.
inline constexpr int64_t kTile = 512;

/// Rows of one state of outcomes: no count, and no sum of two, leaves 64 bits.
inline constexpr uint64_t kMaxRows = uint64_t{1} << 62;

/// Has the tile from row `begin` on of a plain column on its way from memory while the one before it is at
/// work: a tile of eight bytes a row is a page, and no machine fetches ahead across pages by itself. That is
/// a quarter of all time for rows that come from memory. One column at a time, or requests wait for requests.
inline void prefetch_tile(const arrow::ColumnView& column, int64_t begin) {
  if (column.type.dictionary || column.type.run_end || !column.values) return;
  const int64_t width = arrow::value_width(column.type), n_rows = std::min(kTile, column.length - begin);
  if (n_rows <= 0 || width == 0) return;
  const auto* values = static_cast<const char*>(column.values) + (column.offset + begin) * width;
  for (int64_t i = 0; i < n_rows * width; i += 64) __builtin_prefetch(values + i);
}

/// Whether a row is null because its value was of a type that the column cannot hold.
inline bool is_mistyped(const arrow::ColumnView& column, int64_t row) {
  return column.mistyped && arrow::test_bit(column.mistyped, column.offset + row);
}

}  // namespace tidegauge::joint
