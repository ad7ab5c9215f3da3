#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace tidegauge::arrow {

/// The i-th T of a buffer that need not be aligned.
template <class T>
inline T load(const void* buffer, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(buffer) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

inline bool test_bit(const uint8_t* bits, int64_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }

/// The n lowest bits set, n in [0, 64].
inline uint64_t low_bits(int64_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

/// Bits [at, at + n) of a bitmap as the low bits of a word, n in [1, 64]. Reads only the bytes that hold
/// them.
inline uint64_t load_bits(const uint8_t* bits, int64_t at, int64_t n) {
  const uint8_t* bytes = bits + (at >> 3);
  const int64_t shift = at & 7;
  const int64_t n_bytes = (shift + n + 7) >> 3;
  uint64_t word = 0;
  std::memcpy(&word, bytes, n_bytes >= 8 ? 8 : static_cast<size_t>(n_bytes));
  word >>= shift;
  if (n_bytes > 8) word |= static_cast<uint64_t>(bytes[8]) << (64 - shift);
  return word & low_bits(n);
}

/// How many of the bits [at, at + n) of a bitmap are set; a null bitmap has none.
inline int64_t count_bits(const uint8_t* bits, int64_t at, int64_t n) {
  int64_t count = 0;
  for (int64_t done = 0; bits && done < n; done += 64) {
    count += std::popcount(load_bits(bits, at + done, n - done < 64 ? n - done : 64));
  }
  return count;
}

inline int64_t n_words(int64_t n_rows) { return (n_rows + 63) >> 6; }

}  // namespace tidegauge::arrow
