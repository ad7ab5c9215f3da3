#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tidegauge/arrow/batch.hpp"

namespace tidegauge::arrow {

/// The rows of one window of time, from `first` on in nanoseconds since 1970-01-01 UTC; nothing for rows
/// whose time is null, or whose window begins or ends where 64 bits of nanoseconds do not reach.
using Part = std::pair<std::optional<int64_t>, Batch>;

/// Splits a batch by the dates or timestamps of one column into the half-open windows [origin + k * width,
/// origin + (k + 1) * width), k any integer; in ascending order, the rows without one last, windows without
/// rows left out. Rows keep their order within a window, and their batches are checked (Batch::checked).
///
/// Where every window's rows follow each other the parts share the batch's memory; else its rows are copied
/// once, in order of their windows, and the parts share the copy. Throws SchemaError for a column that holds
/// no times or is not there and for a width below 1, ArrowError as Batch::check_rows does.
std::vector<Part> partition(const Batch& batch, size_t column, int64_t width_ns, int64_t origin_ns);

}  // namespace tidegauge::arrow
