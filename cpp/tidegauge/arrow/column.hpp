#pragma once

#include "tidegauge/arrow/c_data.hpp"
#include "tidegauge/arrow/place.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// Counts that every array must have right whatever its type: not released, length and offset from 0 on with
/// a sum that fits in 63 bits, null_count in [-1, length].
void check_counts(const ArrowArray& array, const Place& place);

/// n_children and n_buffers as the schema has them, and something behind the two pointers. Nothing may index
/// `buffers` or `children` before this returns.
void check_shape(const ArrowArray& array, int64_t n_children, int64_t least_buffers, int64_t most_buffers,
                 const Place& place);

/// The array as a view of the field's type, after every check that needs no row; throws ArrowError.
ColumnView parse_column(const ArrowArray* array, const Field& field, const Place& place);

/// The rows of a view point inside their buffers, or ArrowError. `place` is the column's.
void check_rows(const ColumnView& column, const Place& place);

}  // namespace tidegauge::arrow
