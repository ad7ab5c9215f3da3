#pragma once

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

// Dictionaries and runs are both a table of values and a number per row that picks one. Readers ask here for
// those numbers, gather, and go on as if the values had been plain.

/// Rows gathered at a time: a multiple of 64, small enough for the stack.
inline constexpr int64_t kChunk = 1024;

inline bool is_encoded(const Type& type) { return type.dictionary || type.run_end; }

/// The plain values below every encoding.
const ColumnView& leaf_of(const ColumnView& column);

/// For rows [begin, begin + n) of an encoded column, the row of column.child; 0 for a code that its own
/// bitmap or the parent's says is null.
void child_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out);

/// The same down to the leaf, through run-end encoded dictionaries. Below an empty leaf every row is 0, and
/// must not be read.
void leaf_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out);

/// Whether any bitmap lies below the column's own.
bool child_has_nulls(const ColumnView& column);

/// Row i of an array that is no column of a table: valid by its own bitmap and by those below.
bool is_valid(const ColumnView& column, int64_t i);

/// Applies `use(T*)`, with T the C++ type of an integer column, to a null pointer that only carries the type.
template <class Use>
void with_integer(Physical physical, Use use) {
  switch (physical) {
    case Physical::int8:
      return use(static_cast<int8_t*>(nullptr));
    case Physical::int16:
      return use(static_cast<int16_t*>(nullptr));
    case Physical::int32:
      return use(static_cast<int32_t*>(nullptr));
    case Physical::int64:
      return use(static_cast<int64_t*>(nullptr));
    case Physical::uint8:
      return use(static_cast<uint8_t*>(nullptr));
    case Physical::uint16:
      return use(static_cast<uint16_t*>(nullptr));
    case Physical::uint32:
      return use(static_cast<uint32_t*>(nullptr));
    case Physical::uint64:
      return use(static_cast<uint64_t*>(nullptr));
    default:
      return;
  }
}

/// ANDs bits [at, at + n) of a bitmap into words; a null bitmap changes nothing.
inline void and_bits(const uint8_t* bitmap, int64_t at, int64_t n, uint64_t* words) {
  if (!bitmap) return;
  for (int64_t done = 0; done < n; done += 64) {
    words[done >> 6] &= load_bits(bitmap, at + done, n - done < 64 ? n - done : 64);
  }
}

/// The column's own bitmap and its parent's, as words; bits past n are 0.
inline void own_validity(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words) {
  for (int64_t done = 0; done < n; done += 64) words[done >> 6] = low_bits(n - done);
  and_bits(column.validity, column.offset + begin, n, words);
  and_bits(column.parent_validity, column.parent_offset + begin, n, words);
}

}  // namespace tidegauge::arrow
