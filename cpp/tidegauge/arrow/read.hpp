#pragma once

#include <cstdint>
#include <string_view>

#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

// Readers of a tile: rows [begin, begin + n) of a column whose rows have been checked (Batch::check_rows), n
// at most 64 * words.size(). All of them see through dictionaries and run-end encoding. What they write for a
// null row is unspecified but initialised.

/// One bit a row, 1 = valid, from the column's bitmap, the parent's bitmap, null dictionary values and null
/// runs. Bits past n are 0. Returns the number of valid rows. A column of kind unsupported, which nothing can
/// be read from, has none.
int64_t read_validity(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words);

/// Numbers and times as they are: any integer, float or decimal type, as the state type of the column.
/// A value that the state type cannot hold exactly (a fraction for int64, |x| > 2^53 with low bits for a
/// double, an overflow) clears its bit in `words` and is counted in the returned n_mistyped; NaN and the
/// infinities are values of a double, and mistyped for int64. Decimals are rounded to the nearest double,
/// once. `unit` is the state's time unit; a finer value must divide evenly. In a column of another kind every
/// valid row is mistyped. `words` comes from read_validity.
int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, double* out,
                     uint64_t* words);
int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, int64_t* out,
                     uint64_t* words);

/// Booleans, one bit a row (plain, dictionary-encoded or run-end encoded); bits past n are 0.
void read_booleans(const ColumnView& column, int64_t begin, int64_t n, uint64_t* words);

/// Texts and binaries, pointing into the batch.
void read_texts(const ColumnView& column, int64_t begin, int64_t n, std::string_view* out);

/// Dictionary codes as unsigned; the code of a row that its own bitmap or the parent's says is null is 0.
/// Only for type.dictionary. Every code is a row of column.child, unless that is empty, when every row is
/// null.
void read_codes(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out);

/// Embeddings: n * type.width doubles, row after row. A null element is NaN.
void read_embeddings(const ColumnView& column, int64_t begin, int64_t n, double* out);

}  // namespace tidegauge::arrow
