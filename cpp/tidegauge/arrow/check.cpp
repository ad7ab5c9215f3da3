#include <algorithm>
#include <limits>
#include <type_traits>

#include "tidegauge/arrow/column.hpp"
#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/rows.hpp"

// Each check is a pass that only accumulates whether anything is wrong, which vectorises; the offender is
// looked for afterwards, to be named.

namespace tidegauge::arrow {
namespace {

constexpr int64_t kBlock = 4096;  // rows between two looks at the accumulator

std::string at_row(const char* what, int64_t row, int64_t value, const std::string& limit) {
  return std::string(what) + " of row " + std::to_string(row) + " is " + std::to_string(value) +
         ", allowed are " + limit;
}

std::string range(int64_t least, int64_t most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

/// Offsets start at 0 or above and never fall: then each lies within [0, last]. The sign bits of an offset
/// and of a difference of two that are not negative (which cannot overflow) tell.
template <class T>
void check_offsets(const ColumnView& column, const Place& place) {
  using U = std::make_unsigned_t<T>;
  const auto* offsets =
      static_cast<const char*>(column.values) + column.offset * static_cast<int64_t>(sizeof(T));
  const int64_t n = column.length;
  U signs = load<U>(offsets, 0);
  for (int64_t i = 0; i < n; ++i) {
    const U next = load<U>(offsets, i + 1);
    signs |= next | static_cast<U>(next - load<U>(offsets, i));
  }
  const auto last = int64_t{load<T>(offsets, n)};
  if (static_cast<T>(signs) < 0) {
    const auto first = int64_t{load<T>(offsets, 0)};
    if (first < 0) refuse(place, at_row("offset", 0, first, "0 and above"));
    for (int64_t i = 0, low = first; i < n; ++i) {
      const auto next = int64_t{load<T>(offsets, i + 1)};
      if (next < low) refuse(place, at_row("end offset", i, next, std::to_string(low) + " and above"));
      low = next;
    }
  }
  if (last > 0 && !column.text) {
    refuse(place, "text buffer is NULL, but the last offset is " + std::to_string(last));
  }
}

/// The lowest row from `begin` on that is valid and whose code lies outside [0, limit).
template <class T>
void find_bad_code(const ColumnView& column, const char* codes, int64_t begin, int64_t n, uint64_t limit,
                   const Place& place) {
  uint64_t words[kBlock / 64];
  own_validity(column, begin, n, words);
  for (int64_t i = 0; i < n; ++i) {
    const T code = load<T>(codes, begin + i);
    const bool outside = code < 0 || static_cast<uint64_t>(code) >= limit;
    if (!outside || !((words[i >> 6] >> (i & 63)) & 1)) continue;
    if (limit == 0)
      refuse(place, "dictionary is empty, but row " + std::to_string(begin + i) + " is not null");
    const std::string shown =
        code < 0 ? std::to_string(static_cast<int64_t>(code)) : std::to_string(static_cast<uint64_t>(code));
    refuse(place, "dictionary code of row " + std::to_string(begin + i) + " is " + shown + ", allowed are " +
                      range(0, static_cast<int64_t>(limit) - 1));
  }
}

template <class T>
void check_codes(const ColumnView& column, const Place& place) {
  using U = std::make_unsigned_t<T>;
  const auto limit = static_cast<uint64_t>(column.child->length);
  const auto* codes =
      static_cast<const char*>(column.values) + column.offset * static_cast<int64_t>(sizeof(T));
  // The last good code, and no more than the type can hold: a negative code is large as unsigned.
  const auto highest = static_cast<U>(
      limit ? std::min<uint64_t>(limit - 1, static_cast<uint64_t>(std::numeric_limits<T>::max())) : 0);
  for (int64_t begin = 0; begin < column.length; begin += kBlock) {
    const int64_t n = std::min(kBlock, column.length - begin);
    const char* block = codes + begin * static_cast<int64_t>(sizeof(T));
    U bad = limit == 0;
    for (int64_t i = 0; i < n; ++i) {
      const U code = load<U>(block, i);
      if constexpr (sizeof(U) == 8) {  // highest < 2^32: the sign of either tells, without a 64-bit compare
        bad |= (code | (highest - code)) >> 63;
      } else {
        bad |= static_cast<U>(code > highest);
      }
    }
    if (bad) find_bad_code<T>(column, codes, begin, n, limit, place);
  }
}

/// A view of more than 12 bytes lies in a data buffer; a shorter one in itself.
void check_views(const ColumnView& column, const Place& place) {
  for (int64_t i = 0; i < column.n_variadic; ++i) {
    const auto size = load<int64_t>(column.variadic_sizes, i);
    if (size < 0 || (size > 0 && !column.variadic[i])) {
      refuse(place, "data buffer " + std::to_string(i) + " has size " + std::to_string(size) +
                        (size < 0 ? ", allowed are 0 and above" : ", but its pointer is NULL"));
    }
  }
  const auto* views = static_cast<const char*>(column.values) + column.offset * 16;
  uint64_t words[kBlock / 64];
  for (int64_t begin = 0; begin < column.length; begin += kBlock) {
    const int64_t n = std::min(kBlock, column.length - begin);
    own_validity(column, begin, n, words);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = begin + i;
      const auto size = load<int32_t>(views, 4 * row);
      if (size >= 0 && size <= 12) continue;
      if (!((words[i >> 6] >> (i & 63)) & 1)) continue;
      if (size < 0) refuse(place, at_row("view size", row, size, "0 and above"));
      const auto buffer = int64_t{load<int32_t>(views, 4 * row + 2)};
      const auto start = int64_t{load<int32_t>(views, 4 * row + 3)};
      if (buffer < 0 || buffer >= column.n_variadic) {
        refuse(place, at_row("view buffer index", row, buffer, range(0, column.n_variadic - 1)));
      }
      const auto limit = load<int64_t>(column.variadic_sizes, buffer);
      if (start < 0 || start > limit || size > limit - start) {
        refuse(place, at_row("view offset", row, start, range(0, limit - size)) + " for its " +
                          std::to_string(size) + " bytes");
      }
    }
  }
}

template <class T>
void check_run_ends(const ColumnView& column, const Place& place) {
  const int64_t n_runs = column.child->length, needed = column.offset + column.length;
  int64_t previous = 0;
  for (int64_t i = 0; i < n_runs; ++i) {
    const auto end = static_cast<int64_t>(load<T>(column.values, i));
    if (end <= previous) {
      refuse(place, "run end " + std::to_string(i) + " is " + std::to_string(end) + ", allowed are " +
                        std::to_string(static_cast<uint64_t>(previous) + 1) + " and above");
    }
    previous = end;
  }
  if (previous < needed) {
    refuse(place, "last run end is " + std::to_string(previous) + ", but offset + length is " +
                      std::to_string(needed));
  }
}

}  // namespace

void check_rows(const ColumnView& column, const Place& place) {
  const bool empty = column.length == 0;
  if (column.type.dictionary) {
    if (!empty) with_integer(column.index, [&]<class T>(T*) { check_codes<T>(column, place); });
    return check_rows(*column.child, place.inside("dictionary"));  // readers go by it, rows or none
  }
  if (column.type.run_end) {
    if (!empty) with_integer(column.index, [&]<class T>(T*) { check_run_ends<T>(column, place); });
    return check_rows(*column.child, place.inside("run values"));
  }
  if (empty) return;
  switch (column.type.physical) {
    case Physical::offsets32:
      return check_offsets<int32_t>(column, place);
    case Physical::offsets64:
      return check_offsets<int64_t>(column, place);
    case Physical::views:
      return check_views(column, place);
    default:
      return;
  }
}

}  // namespace tidegauge::arrow
