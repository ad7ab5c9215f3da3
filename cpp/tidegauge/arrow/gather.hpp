#pragma once

#include <cstdint>
#include <cstring>

namespace tidegauge::arrow {

template <int64_t width, class Row>
void gather_width(const char* values, const Row* rows, int64_t n, char* out) {
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(out + i * width, values + static_cast<int64_t>(rows[i]) * width, width);
  }
}

/// out[i] = values[rows[i]], values of `width` bytes that need not be aligned.
template <class Row>
void gather(const char* values, int64_t width, const Row* rows, int64_t n, char* out) {
  switch (width) {  // a copy of a size known here is one instruction
    case 1:
      return gather_width<1>(values, rows, n, out);
    case 2:
      return gather_width<2>(values, rows, n, out);
    case 4:
      return gather_width<4>(values, rows, n, out);
    case 8:
      return gather_width<8>(values, rows, n, out);
    case 16:
      return gather_width<16>(values, rows, n, out);
    case 32:
      return gather_width<32>(values, rows, n, out);
    default:
      for (int64_t i = 0; i < n; ++i) {
        std::memcpy(out + i * width, values + static_cast<int64_t>(rows[i]) * width,
                    static_cast<size_t>(width));
      }
  }
}

}  // namespace tidegauge::arrow
