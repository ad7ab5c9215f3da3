#pragma once

#include <cstdint>

namespace tidegauge::arrow {

/// A decimal of 4, 8, 16 or 32 little-endian bytes with `scale` digits after the point, as the nearest double
/// (ties to even, rounded once). False where it is too large for one.
bool decimal_to_double(const void* bytes, int32_t width, int32_t scale, double& out);

/// The same as an integer; false where it has a fraction or does not fit.
bool decimal_to_int64(const void* bytes, int32_t width, int32_t scale, int64_t& out);

}  // namespace tidegauge::arrow
