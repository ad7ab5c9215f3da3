#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tidegauge::arrow {

/// Calls copy(size) with the size of a value: where that is a constant, a copy of it is one instruction.
template <class Copy>
void with_width(int64_t width, Copy copy) {
  switch (width) {
    case 1:
      return copy(std::integral_constant<size_t, 1>());
    case 2:
      return copy(std::integral_constant<size_t, 2>());
    case 4:
      return copy(std::integral_constant<size_t, 4>());
    case 8:
      return copy(std::integral_constant<size_t, 8>());
    case 16:
      return copy(std::integral_constant<size_t, 16>());
    case 32:
      return copy(std::integral_constant<size_t, 32>());
    default:
      return copy(static_cast<size_t>(width));
  }
}

/// out[i] = values[rows[i]], values of `width` bytes that need not be aligned.
template <class Row>
void gather(const char* values, int64_t width, const Row* rows, int64_t n, char* out) {
  with_width(width, [&](auto size) {
    for (int64_t i = 0; i < n; ++i) {
      std::memcpy(out + i * width, values + static_cast<int64_t>(rows[i]) * width, size);
    }
  });
}

/// out[places[i]] = values[i]: the same for the inverse of a permutation. Reads in order and writes to as
/// many places at once as there are groups, which is faster than the other way round where the values are in
/// no near cache.
template <class Place>
void scatter(const char* values, int64_t width, const Place* places, int64_t n, char* out) {
  with_width(width, [&](auto size) {
    for (int64_t i = 0; i < n; ++i) {
      std::memcpy(out + static_cast<int64_t>(places[i]) * width, values + i * width, size);
    }
  });
}

}  // namespace tidegauge::arrow
