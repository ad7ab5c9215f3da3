#pragma once

#include <cstdint>

#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

// One tile of contiguous values, n of them from `values` on, perhaps unaligned, to the state type. What it
// cannot hold exactly clears its bit in `words`; the number of bits cleared is returned.
int64_t convert(const Type& type, const void* values, int64_t n, double* out, uint64_t* words);
int64_t convert(const Type& type, const void* values, int64_t n, int64_t* out, uint64_t* words);

/// Times in place from one unit to another: a coarser one must divide evenly, a finer one must not overflow.
int64_t rescale(TimeUnit from, TimeUnit to, int64_t n, int64_t* values, uint64_t* words);

}  // namespace tidegauge::arrow
