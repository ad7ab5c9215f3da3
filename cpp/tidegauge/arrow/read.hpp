#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

// Readers of a tile: rows [begin, begin + n) of a column, n at most 64 * words.size(). All of them see through
// dictionaries and run-end encoding. What they write for a null row is unspecified but initialised.

/// One bit a row, 1 = valid, from the column's bitmap, the parent's bitmap, null dictionary values and null
/// runs. Bits past n are 0. Returns the number of valid rows.
int64_t read_validity(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words);

/// Numbers and times as they are: any integer, float or decimal type, as the state type of the column.
/// A value that the state type cannot hold exactly (a fraction for int64, |x| > 2^53 with low bits for a
/// double, an overflow) clears its bit in `words` and is counted in the returned n_mistyped. Decimals are
/// rounded to the nearest double, once. `unit` is the state's time unit; a finer value must divide evenly.
int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, double* out,
                     uint64_t* words);
int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, int64_t* out,
                     uint64_t* words);

/// Booleans, one bit a row (plain, dictionary-encoded or run-end encoded).
void read_booleans(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words);

/// Texts and binaries, pointing into the batch.
void read_texts(const ColumnView& column, int64_t begin, int64_t n, std::string_view* out);

/// Dictionary codes as unsigned; the code of a null row is 0. Only for type.dictionary.
void read_codes(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out);

}  // namespace tidegauge::arrow
