#include <algorithm>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"

namespace tidegauge::arrow {

int64_t read_validity(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words) {
  if (column.type.kind == Kind::unsupported) {
    std::fill(words, words + n_words(n), uint64_t{0});
    return 0;
  }
  own_validity(column, begin, n, words);
  if (child_has_nulls(column)) {
    uint32_t rows[kChunk];
    for (int64_t done = 0; done < n; done += kChunk) {
      const int64_t m = std::min(kChunk, n - done);
      child_rows(column, begin + done, m, rows);
      for (int64_t i = 0; i < m; ++i) {
        uint64_t& word = words[(done + i) >> 6];
        const uint64_t bit = uint64_t{1} << (i & 63);
        if ((word & bit) && !is_valid(*column.child, rows[i])) word ^= bit;
      }
    }
  }
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
