#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegauge::kernels {

inline constexpr size_t kMaxEdges = 257;       // of a column: 256 cells
inline constexpr size_t kMaxGridEdges = 1023;  // of any grid: below, 1,022 cells, above
inline constexpr size_t kGridKeys = 4096;      // entries of the table
inline constexpr double kTwo52 = 4503599627370496.0;
inline constexpr uint64_t kMantissa = (uint64_t{1} << 52) - 1;
inline constexpr size_t kMaxCorrections = 8;  // edges that may share a key before a binary search is cheaper

/// A monotone map from values to small integers, and for each of them the number of edges that lie certainly
/// below. The cell of x is then base[key(x)] plus the number of the next `corrections` edges that are <= x.
/// Exact for any monotone key, however coarse: a key only decides how many edges are left to compare.
///
/// Two families of keys, both monotone because rounding is:
///   uniform:  (x - low) * scale, rounded to an integer by adding 2^52
///   folded:   the leading bits of |x - center| + knee, mirrored at the center: linear near the center,
///             logarithmic far from it, so that long tails do not eat the table.
/// Plain data: the kernels read it at every instruction set.
template <class T>
struct Grid {
  T edges[kMaxGridEdges + kMaxCorrections];  // ascending, then the largest value of T
  uint16_t base[kGridKeys + 2];              // padded, because a gather reads four bytes
  uint32_t n_edges = 0;                      // cells 0 (below) .. n_edges (at or above the last edge)
  uint32_t corrections = 0;                  // 0 means: binary search
  uint32_t stride = 0;                       // counters in one table, a multiple of 16
  bool folded = false;
  double low = 0, scale = 0;    // uniform
  double center = 0, knee = 0;  // folded
  int32_t shift = 0;            // folded: bits of the double dropped
  uint64_t origin = 0;          // folded: the key of |x - center| = 0 before mirroring
  uint64_t middle = 0;          // folded: where the center lies in the table
};

/// Finds the key family and parameters that leave the fewest comparisons. `edges` ascend strictly and number
/// 1 to kMaxGridEdges; doubles are finite.
template <class T>
Grid<T> make_grid(const T* edges, size_t n_edges);

/// The cell of one value, by the definition: the number of edges <= x. The oracle of the kernels, and the
/// path of very small batches.
template <class T>
[[gnu::always_inline]] inline size_t cell_of(const Grid<T>& grid, T x) {
  size_t first = 0, count = grid.n_edges;
  while (count > 0) {
    const size_t half = count / 2;
    if (grid.edges[first + half] <= x) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

}  // namespace tidegauge::kernels
