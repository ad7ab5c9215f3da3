#include "tidegauge/kernels/grid.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>

namespace tidegauge::kernels {
namespace {

/// The same arithmetic as the kernels', one value at a time.
template <class T>
uint64_t key_of(const Grid<T>& grid, T value) {
  const auto x = static_cast<double>(value);
  if (!grid.folded) return std::bit_cast<uint64_t>((x - grid.low) * grid.scale + kTwo52) & kMantissa;
  const double y = x - grid.center;
  const uint64_t distance = (std::bit_cast<uint64_t>(std::abs(y) + grid.knee) >> grid.shift) - grid.origin;
  return y < 0 ? grid.middle - distance : grid.middle + distance;
}

constexpr auto kNever = std::numeric_limits<uint32_t>::max();

/// The most edges that share one key, or kNever where the keys do not fit the table. Stops at `enough`.
template <class T>
uint32_t crowding(const Grid<T>& grid, uint32_t enough) {
  uint64_t last = 0;
  uint32_t run = 0, worst = 0;
  for (uint32_t i = 0; i < grid.n_edges; ++i) {
    const uint64_t key = key_of(grid, grid.edges[i]);
    if (key >= kGridKeys || key < last) return kNever;
    run = i > 0 && key == last ? run + 1 : 1;
    worst = std::max(worst, run);
    if (worst >= enough) break;
    last = key;
  }
  return worst;
}

template <class T>
void choose_uniform(Grid<T>& grid) {
  grid.folded = false;
  grid.low = static_cast<double>(grid.edges[0]);
  const double range = static_cast<double>(grid.edges[grid.n_edges - 1]) - grid.low;
  grid.scale = static_cast<double>(kGridKeys - 1) / range;
  // A scale that overflows or vanishes gives no keys at all; zero is still monotone.
  if (!std::isfinite(range) || !std::isfinite(grid.scale)) grid.scale = 0;
}

/// Spends the table on the octaves between the knee and the farther end, as finely as fits.
template <class T>
bool choose_folded(Grid<T>& grid, double center, double knee) {
  if (!(knee > 0) || !std::isfinite(center)) return false;
  grid.folded = true;
  grid.center = center;
  grid.knee = knee;
  const double below = center - static_cast<double>(grid.edges[0]);
  const double above = static_cast<double>(grid.edges[grid.n_edges - 1]) - center;
  if (!std::isfinite(below) || !std::isfinite(above)) return false;
  for (int32_t shift = 36; shift <= 52; ++shift) {
    grid.shift = shift;
    grid.origin = std::bit_cast<uint64_t>(knee) >> shift;
    const auto reach = [&](double distance) {
      return (std::bit_cast<uint64_t>(std::max(distance, 0.0) + knee) >> shift) - grid.origin;
    };
    if (reach(below) + reach(above) < kGridKeys) {
      grid.middle = reach(below);
      return true;
    }
  }
  return false;
}

}  // namespace

template <class T>
Grid<T> make_grid(const T* edges, size_t n_edges) {
  Grid<T> best{};
  std::copy_n(edges, n_edges, best.edges);
  std::fill(best.edges + n_edges, std::end(best.edges),
            std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                 : std::numeric_limits<T>::max());
  best.n_edges = static_cast<uint32_t>(n_edges);
  best.stride = static_cast<uint32_t>((n_edges + 1 + 15) / 16 * 16);
  choose_uniform(best);
  uint32_t least = crowding(best, kNever);

  const auto value = [&](size_t i) { return static_cast<double>(edges[i]); };
  const double first = value(0), last = value(n_edges - 1), median = value(n_edges / 2);
  const double widest = std::max(last - first, std::numeric_limits<double>::min());
  Grid<T> candidate = best;
  for (const double center : {median, first, last, 0.0}) {
    for (int octave = 1; octave <= 40 && least > 1; ++octave) {
      if (!choose_folded(candidate, center, std::ldexp(widest, -octave))) continue;
      const uint32_t crowd = crowding(candidate, least);
      if (crowd < least) {
        least = crowd;
        best = candidate;
      }
    }
  }
  best.corrections = least <= kMaxCorrections ? least : 0;

  // base[k] counts the edges whose key is below k: they are below every value of key k, since keys are
  // monotone. Edges of key k itself are the ones left to compare.
  size_t passed = 0;
  for (size_t key = 0; key < kGridKeys; ++key) {
    while (passed < n_edges && key_of(best, edges[passed]) < key) ++passed;
    best.base[key] = static_cast<uint16_t>(passed);
  }
  return best;
}

template Grid<double> make_grid(const double*, size_t);
template Grid<int64_t> make_grid(const int64_t*, size_t);

}  // namespace tidegauge::kernels
