#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tidegauge::sketch {

/// A block of this many values waits, in order of arrival, until it is full. They are part of the state, so a
/// larger block, cheaper to sort by the value, is paid for in bytes.
inline constexpr size_t kBlock = 128;

namespace block {

inline constexpr size_t kRows = 16;  // the block as 16 rows of 8: the columns are sorted first
inline constexpr size_t kColumns = kBlock / kRows;

struct Comparator {
  uint8_t low, high;
};

/// Batcher's odd-even merge sort of 16, as its list of 63 compare-exchanges.
consteval std::array<Comparator, 63> make_network() {
  std::array<Comparator, 63> network{};
  size_t n = 0;
  for (size_t p = 1; p < kRows; p *= 2) {
    for (size_t k = p; k >= 1; k /= 2) {
      for (size_t j = k % p; j + k < kRows; j += 2 * k) {
        for (size_t i = 0; i < k && i + j + k < kRows; ++i) {
          if ((i + j) / (2 * p) == (i + j + k) / (2 * p)) {
            network[n++] = {static_cast<uint8_t>(i + j), static_cast<uint8_t>(i + j + k)};
          }
        }
      }
    }
  }
  return network;
}
inline constexpr auto kNetwork = make_network();

template <class V>
[[gnu::always_inline]] inline void exchange(V& low, V& high) {
  const V smaller = high < low ? high : low;
  high = high < low ? low : high;
  low = smaller;
}

template <class V, size_t... I>
[[gnu::always_inline]] inline void sort_rows(V (&row)[kRows], std::index_sequence<I...>) {
  (exchange(row[kNetwork[I].low], row[kNetwork[I].high]), ...);
}

/// Two lanes of doubles fit the smallest vector unit there is. Integers go one by one through conditional
/// moves, which beats what that unit can do with 64-bit comparisons.
template <class T>
struct Lanes {
  using type = T;
};
template <>
struct Lanes<double> {
  typedef double type __attribute__((vector_size(16)));
};

/// Sorts each of the columns of a row-major block.
template <class T>
void sort_columns(T* values) {
  using V = typename Lanes<T>::type;
  constexpr size_t lanes = sizeof(V) / sizeof(T);
  for (size_t column = 0; column < kColumns; column += lanes) {
    V row[kRows];
    for (size_t r = 0; r < kRows; ++r) __builtin_memcpy(&row[r], values + r * kColumns + column, sizeof(V));
    sort_rows(row, std::make_index_sequence<kNetwork.size()>{});
    for (size_t r = 0; r < kRows; ++r) __builtin_memcpy(values + r * kColumns + column, &row[r], sizeof(V));
  }
}

/// Merges two sorted runs of equal length from both ends at once: `length` steps each, so neither end can
/// leave its run, and there is nothing to test but which value comes next. `stride` lies between neighbours.
template <class T>
[[gnu::always_inline]] inline void merge_runs(const T* a, const T* b, size_t stride, size_t length, T* out) {
  const T* a_last = a + (length - 1) * stride;
  const T* b_last = b + (length - 1) * stride;
  T* back = out + 2 * length - 1;
  for (size_t i = 0; i < length; ++i) {
    const T x = *a, y = *b;
    const size_t take_b = y < x;  // as a number: a branch here would be mispredicted half the time
    *out++ = y < x ? y : x;
    b += take_b * stride;
    a += (1 - take_b) * stride;
    const T u = *a_last, v = *b_last;
    const size_t take_a = v < u;
    *back-- = v < u ? u : v;
    a_last -= take_a * stride;
    b_last -= (1 - take_a) * stride;
  }
}

}  // namespace block

/// Sorts a full block and keeps one value of every 2^thin (thin <= 3): a merge sort whose first `thin` passes
/// drop every other value of the runs they read. Of the two runs that a pass merges, one keeps its even
/// places and the other its odd ones, by one bit of `coins`, so what one loses in rank the other gains.
/// Returns the survivors, sorted, somewhere in `values` or `scratch` (kBlock each; both are overwritten).
template <class T>
std::span<const T> sort_block(T* values, T* scratch, unsigned thin, uint64_t coins) {
  block::sort_columns(values);
  size_t runs = block::kColumns, length = block::kRows;
  size_t apart = 1, stride = block::kColumns;  // between runs, and between the values of one run
  for (unsigned pass = 0; runs > 1; ++pass) {
    const bool drop = pass < thin;
    const size_t kept = drop ? length / 2 : length;
    for (size_t run = 0; run < runs; run += 2) {
      const T* a = values + run * apart;
      const T* b = a + apart;
      if (drop) {
        const bool odd = coins & 1;
        coins >>= 1;
        a += odd ? stride : 0;
        b += odd ? 0 : stride;
      }
      block::merge_runs(a, b, drop ? 2 * stride : stride, kept, scratch + run * kept);
    }
    std::swap(values, scratch);
    runs /= 2;
    length = 2 * kept;
    apart = length;
    stride = 1;
  }
  return {values, length};
}

/// Sum over the coin tosses of a block of the largest squared error of a rank that each can cause.
/// Pass t tosses 8 / 2^t coins, for values that stand for 2^t each.
constexpr double block_variance(unsigned thin) {
  double sum = 0;
  for (unsigned pass = 0; pass < thin; ++pass) sum += (8 >> pass) * static_cast<double>(1u << (2 * pass));
  return sum;
}

}  // namespace tidegauge::sketch
