#include <algorithm>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"

namespace tidegauge::arrow {
namespace {

/// Clears the bits of rows whose value, below the column's own codes or runs, is null.
void clear_null_values(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words) {
  const ColumnView& values = *column.child;
  const bool nested = is_encoded(values.type);
  uint32_t rows[kChunk];
  for (int64_t done = 0; done < n; done += kChunk) {
    const int64_t m = std::min(kChunk, n - done);
    child_rows(column, begin + done, m, rows);
    for (int64_t i = 0; i < m; i += 64) {
      uint64_t valid = 0;
      for (int64_t j = i; j < std::min(i + 64, m); ++j) {
        const bool one =
            nested ? is_valid(values, rows[j]) : test_bit(values.validity, values.offset + rows[j]);
        valid |= uint64_t{one} << (j - i);
      }
      words[(done + i) >> 6] &= valid;
    }
  }
}

}  // namespace

int64_t read_validity(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words) {
  if (column.type.kind == Kind::unsupported) {
    std::fill(words, words + n_words(n), uint64_t{0});
    return 0;
  }
  own_validity(column, begin, n, words);
  if (child_has_nulls(column)) clear_null_values(column, begin, n, words);
  int64_t n_valid = 0;
  for (int64_t i = 0; i < n_words(n); ++i) n_valid += std::popcount(words[i]);
  return n_valid;
}

void read_booleans(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words) {
  std::fill(words, words + n_words(n), uint64_t{0});
  const ColumnView& leaf = leaf_of(column);
  if (leaf.type.physical != Physical::boolean || !leaf.values) return;
  const auto* bits = static_cast<const uint8_t*>(leaf.values);
  if (!is_encoded(column.type)) {
    for (int64_t i = 0; i < n; i += 64) {
      words[i >> 6] = load_bits(bits, column.offset + begin + i, std::min<int64_t>(64, n - i));
    }
    return;
  }
  uint32_t rows[kChunk];
  for (int64_t done = 0; done < n; done += kChunk) {
    const int64_t m = std::min(kChunk, n - done);
    leaf_rows(column, begin + done, m, rows);
    for (int64_t i = 0; i < m; ++i) {
      words[(done + i) >> 6] |= uint64_t{test_bit(bits, leaf.offset + rows[i])} << (i & 63);
    }
  }
}

void read_codes(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out) {
  child_rows(column, begin, n, out);
}

}  // namespace tidegauge::arrow
