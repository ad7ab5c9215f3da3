#pragma once

#include <cstdint>
#include <span>

#include "tidegauge/arrow/memory.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// Rows of one column, which are there and have been checked, in memory that `memory` holds; dictionaries and
/// the text behind views stay where they are. Runs become dictionary codes. See Batch::take. Where every row
/// is taken once, `places` may say of each where it comes, which is faster.
ColumnView take(const ColumnView& column, std::span<const int64_t> rows, Memory& memory,
                std::span<const uint32_t> places = {});

}  // namespace tidegauge::arrow
