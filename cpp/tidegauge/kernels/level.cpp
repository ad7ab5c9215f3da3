// The kernels, compiled once for each instruction set into a namespace of its own. Nothing here may be a
// function that another translation unit could share (an STL template, say): the linker keeps one copy, and
// that copy might be this one, with instructions the machine lacks.

#include "tidegauge/base/hash.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "tidegauge/kernels/score_level.hpp"
#include "tidegauge/kernels/simd.hpp"

namespace tidegauge::kernels::TIDEGAUGE_LEVEL {
namespace {

TIDEGAUGE_INLINE bool finite(double x) { return __builtin_isfinite(x); }

TIDEGAUGE_INLINE void add_power(PowerLanes& lanes, size_t lane, double x) {
  const double d = x - lanes.pivot, d2 = d * d;
  lanes.s1[lane] += d;
  lanes.s2[lane] += d2;
  lanes.s3[lane] += d2 * d;
  lanes.s4[lane] += d2 * d2;
}

/// The power sums, counts and extremes of n values, of which the caller has sized no lane yet. `sum` is the
/// type's own way to add a value: by lanes for doubles, exactly for integers.
template <class T, class AddScalar, class AddVector>
TIDEGAUGE_INLINE void survey(const T* x, size_t n, size_t phase, PowerLanes& lanes, TileFacts<T>& facts,
                             AddScalar add_scalar, AddVector add_vector) {
  T low = x[0], high = x[0];
  size_t zeros = 0, negatives = 0, i = 0;
  const auto scalar = [&](T value) {
    add_power(lanes, (phase + i) % kLanes, static_cast<double>(value));
    add_scalar((phase + i) % kLanes, value);
    low = value < low ? value : low;
    high = value > high ? value : high;
    zeros += value == 0;
    negatives += value < 0;
  };
  for (; i < n && (phase + i) % kLanes != 0; ++i) scalar(x[i]);
  if (n - i >= kLanes) {
    F64 s1 = load(lanes.s1), s2 = load(lanes.s2), s3 = load(lanes.s3), s4 = load(lanes.s4);
    Pack<T> lows = broadcast(low), highs = broadcast(high);
    I64 zero_lanes{}, negative_lanes{};
    const F64 pivot = broadcast(lanes.pivot);
    for (; n - i >= kLanes; i += kLanes) {
      const Pack<T> v = load(x + i);
      add_vector(v);
      const F64 d = as_double(v) - pivot, d2 = d * d;
      s1 = s1 + d;
      s2 = s2 + d2;
      s3 = s3 + d2 * d;
      s4 = s4 + d2 * d2;
      lows = least(v, lows);
      highs = greatest(v, highs);
      zero_lanes = zero_lanes - (v == Pack<T>{});
      negative_lanes = negative_lanes - (v < Pack<T>{});
    }
    store(lanes.s1, s1);
    store(lanes.s2, s2);
    store(lanes.s3, s3);
    store(lanes.s4, s4);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      low = lows[lane] < low ? lows[lane] : low;
      high = highs[lane] > high ? highs[lane] : high;
      zeros += static_cast<size_t>(zero_lanes[lane]);
      negatives += static_cast<size_t>(negative_lanes[lane]);
    }
  }
  for (; i < n; ++i) scalar(x[i]);
  facts.n_zero = zeros;
  facts.n_negative = negatives;
  facts.min = low;
  facts.max = high;
}

size_t survey_f64(const double* x, size_t n, size_t phase, PowerLanes& lanes, TileFacts<double>& facts) {
  if (n == 0) return 0;
  PowerLanes tried = lanes;
  F64 sums = load(tried.sum);
  survey(
      x, n, phase, tried, facts,
      [&](size_t lane, double v) { sums.part[lane / F64::kWidth][lane % F64::kWidth] += v; },
      [&](F64 v) { sums = sums + v; });
  // A NaN or an infinity stays in the sum of its lane, so finite sums prove finite values.
  bool all_finite = true;
  for (size_t lane = 0; lane < kLanes; ++lane) all_finite &= finite(sums[lane]);
  if (!all_finite) {
    for (size_t i = 0; i < n; ++i) {
      facts.n_nan += x[i] != x[i];
      facts.n_pos_inf += x[i] == __builtin_inf();
      facts.n_neg_inf += x[i] == -__builtin_inf();
    }
    const size_t homeless = facts.n_nan + facts.n_pos_inf + facts.n_neg_inf;
    if (homeless) return homeless;
  }
  store(tried.sum, sums);
  lanes = tried;
  return 0;
}

void survey_i64(const int64_t* x, size_t n, size_t phase, PowerLanes& lanes, TileFacts<int64_t>& facts) {
  if (n == 0) return;
  U64 wrapped{};  // the lanes' sums modulo 2^64
  uint64_t ends = 0;
  survey(
      x, n, phase, lanes, facts, [&](size_t, int64_t v) { ends += static_cast<uint64_t>(v); },
      [&](I64 v) { wrapped = wrapped + bits<U64>(v); });
  // No sum of so few values can have wrapped unless one of them is large; then they are added once more.
  constexpr int64_t kSmall = int64_t{1} << 50;
  if (n <= 4096 && facts.min > -kSmall && facts.max < kSmall) {
    int64_t sum = static_cast<int64_t>(ends);
    for (size_t lane = 0; lane < kLanes; ++lane) sum += static_cast<int64_t>(wrapped[lane]);
    facts.sum = sum;
  } else {
    facts.sum = 0;
    for (size_t i = 0; i < n; ++i) facts.sum += x[i];
  }
}

size_t finite_f64(const double* x, size_t n, double* out, TileFacts<double>& facts) {
  size_t kept = 0, nans = 0, positive = 0, negative = 0;
  const F64 infinity = broadcast(__builtin_inf()), minus_infinity = broadcast(-__builtin_inf());
  size_t i = 0;
  for (; n - i >= 8; i += 8) {
    const F64 v = load(x + i);
    const unsigned not_nan = mask_of(v == v), plus = mask_of(v == infinity),
                   minus = mask_of(v == minus_infinity);
    nans += static_cast<size_t>(8 - __builtin_popcount(not_nan));
    positive += static_cast<size_t>(__builtin_popcount(plus));
    negative += static_cast<size_t>(__builtin_popcount(minus));
    kept += compress_store(out + kept, v, not_nan & ~plus & ~minus);
  }
  for (; i < n; ++i) {
    out[kept] = x[i];
    kept += finite(x[i]);
    nans += x[i] != x[i];
    positive += x[i] == __builtin_inf();
    negative += x[i] == -__builtin_inf();
  }
  facts.n_nan = nans;
  facts.n_pos_inf = positive;
  facts.n_neg_inf = negative;
  return kept;
}

/// The cells of eight values: base[key] and the comparisons it leaves, `corrections` of them.
template <bool folded, class T>
TIDEGAUGE_INLINE U64 cells(const Grid<T>& grid, Pack<T> v, uint32_t corrections) {
  // Clamped as doubles, which keeps the order of the integers.
  const F64 first = broadcast(static_cast<double>(grid.edges[0]));
  const F64 last = broadcast(static_cast<double>(grid.edges[grid.n_edges - 1]));
  const F64 clamped = least(greatest(as_double(v), first), last);
  U64 key;
  if constexpr (folded) {
    const F64 y = clamped - grid.center;
    const F64 a = bits<F64>(bits<U64>(y) & INT64_MAX) + grid.knee;
    const U64 distance = (bits<U64>(a) >> grid.shift) - grid.origin;
    const U64 below = bits<U64>(y < F64{});  // all ones: negates the distance
    key = ((distance ^ below) - below) + grid.middle;
  } else {
    key = bits<U64>((clamped - grid.low) * grid.scale + kTwo52) & kMantissa;
  }
  const U64 base = gather(grid.base, key);
  U64 passed = base;
  for (uint32_t j = 0; j < corrections; ++j) passed = passed - bits<U64>(v >= gather(grid.edges + j, base));
  return passed;
}

/// Eight binary searches side by side, for edges that no key tells apart.
template <class T>
TIDEGAUGE_INLINE U64 cells_by_search(const Grid<T>& grid, Pack<T> v) {
  U64 first{};
  for (uint64_t step = grid.n_edges < 512 ? 256 : 512; step > 0; step /= 2) {
    const U64 probe = first + (step - 1);
    const U64 within = bits<U64>(probe < broadcast(uint64_t{grid.n_edges}));
    const U64 passes = bits<U64>(v >= gather(grid.edges, probe & within)) & within;
    first = first + (passes & step);
  }
  return first;
}

template <class T, class Cells>
TIDEGAUGE_INLINE void write_cells(const T* x, size_t n, uint64_t* out, Cells cells_of) {
  size_t i = 0;
  for (; n - i >= 8; i += 8) store(out + i, cells_of(load(x + i)));
  if (i == n) return;
  T padded[8];
  for (size_t j = 0; j < 8; ++j) padded[j] = x[i + j < n ? i + j : i];
  store(out + i, cells_of(load(padded)));
}

template <class T, class Cells>
TIDEGAUGE_INLINE void count_cells(const T* x, size_t n, const Grid<T>& grid, uint32_t* counts,
                                  const CellScores& scores, Cells cells_of) {
  constexpr size_t kBlock = 256;
  const size_t stride = grid.stride;
  alignas(64) uint64_t block[kBlock];
  // Four tables, so that a run of equal values does not wait for its own counter.
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t m = n - i < kBlock ? n - i : kBlock;
    write_cells(x + i, m, block, cells_of);
    size_t j = 0;
    for (; m - j >= 4; j += 4) {
      ++counts[block[j]];
      ++counts[stride + block[j + 1]];
      ++counts[2 * stride + block[j + 2]];
      ++counts[3 * stride + block[j + 3]];
    }
    for (; j < m; ++j) ++counts[block[j]];
    if (scores.of_cell) {
      for (j = 0; j < m; ++j) scores.out[i + j] = scores.of_cell[block[j]];
    }
  }
}

/// Calls use with the way from eight values to their cells that suits the grid.
template <class T, class Use>
TIDEGAUGE_INLINE void with_cells(const Grid<T>& grid, Use use) {
  // The padding behind the last edge is never passed by a double; INT64_MAX passes it, once per correction.
  const U64 top = broadcast(uint64_t{grid.n_edges});
  const auto capped = [&](U64 c) {
    if constexpr (static_cast<T>(0.5) == 0) return least(c, top);
    return c;
  };
  if (grid.corrections == 0) {
    use([&](Pack<T> v) { return cells_by_search(grid, v); });
  } else if (grid.corrections == 1) {  // nearly always: worth a loop of its own
    if (grid.folded) {
      use([&](Pack<T> v) { return capped(cells<true>(grid, v, 1)); });
    } else {
      use([&](Pack<T> v) { return capped(cells<false>(grid, v, 1)); });
    }
  } else if (grid.folded) {
    use([&](Pack<T> v) { return capped(cells<true>(grid, v, grid.corrections)); });
  } else {
    use([&](Pack<T> v) { return capped(cells<false>(grid, v, grid.corrections)); });
  }
}

template <class T>
TIDEGAUGE_INLINE void count(const T* x, size_t n, const Grid<T>& grid, uint32_t* counts,
                            const CellScores& scores) {
  with_cells(grid, [&](auto cells_of) { count_cells(x, n, grid, counts, scores, cells_of); });
}

void count_f64(const double* x, size_t n, const Grid<double>& grid, uint32_t* counts,
               const CellScores& scores) {
  count(x, n, grid, counts, scores);
}
void count_i64(const int64_t* x, size_t n, const Grid<int64_t>& grid, uint32_t* counts,
               const CellScores& scores) {
  count(x, n, grid, counts, scores);
}

void cells_f64(const double* x, size_t n, const Grid<double>& grid, uint64_t* out) {
  with_cells(grid, [&](auto cells_of) { write_cells(x, n, out, cells_of); });
}
void cells_i64(const int64_t* x, size_t n, const Grid<int64_t>& grid, uint64_t* out) {
  with_cells(grid, [&](auto cells_of) { write_cells(x, n, out, cells_of); });
}

double fixed_f64(const double* x, size_t n, double scale, int64_t* out, int64_t* squares) {
  constexpr double kUnits = 0x1p40, kRound = 0x1.8p52;  // whose last bit is worth one
  static_assert(kUnits == static_cast<double>(uint64_t{1} << kFixedBits));
  const I64 zero = bits<I64>(broadcast(kRound));
  const F64 low = broadcast(-kFixedReach), high = broadcast(kFixedReach);
  F64 largest{}, not_finite{};
  const auto fix = [&](F64 v, size_t i) {
    const F64 z = v * scale;
    not_finite = not_finite + (z - z);  // 0, or NaN and so for good
    largest = greatest(bits<F64>(bits<U64>(z) & INT64_MAX), largest);
    const F64 within = least(greatest(z, low), high);
    store(out + i, bits<I64>(within * kUnits + kRound) - zero);
    store(squares + i, bits<I64>(within * within * kUnits + kRound) - zero);
  };
  size_t i = 0;
  for (; n - i >= 8; i += 8) fix(load(x + i), i);
  if (i < n) {
    double padded[8];
    for (size_t j = 0; j < 8; ++j) padded[j] = x[i + j < n ? i + j : i];
    fix(load(padded), i);
  }
  double most = 0;
  for (size_t lane = 0; lane < 8; ++lane) {
    if (not_finite[lane] != 0) return __builtin_nan("");
    most = largest[lane] > most ? largest[lane] : most;
  }
  return most;
}

void narrow_f64(const double* x, size_t n, const Cuts& cuts, uint64_t* open) {
  const I64 missing = broadcast(static_cast<int64_t>(cuts.missing));
  const auto bits_of = [&](F64 v) {
    I64 found = broadcast(static_cast<int64_t>(cuts.kept));
    for (size_t k = 0; k < cuts.n; ++k) {
      found = found ^ ((v >= broadcast(cuts.values[k])) & static_cast<int64_t>(cuts.flips[k]));
    }
    return bits<U64>((found & (v == v)) | (missing & (v != v)));
  };
  size_t i = 0;
  for (; n - i >= 8; i += 8) store(open + i, load(open + i) & bits_of(load(x + i)));
  if (i == n) return;
  double padded[8];
  for (size_t j = 0; j < 8; ++j) padded[j] = x[i + j < n ? i + j : i];
  store(open + i, load(open + i) & bits_of(load(padded)));
}

TIDEGAUGE_INLINE U64 canonical_bits(F64 v) { return bits<U64>(v + 0.0); }  // -0.0 hashes as 0.0
TIDEGAUGE_INLINE U64 canonical_bits(I64 v) { return bits<U64>(v); }
TIDEGAUGE_INLINE uint64_t canonical_bits(double v) {
  v += 0.0;
  uint64_t bits;
  __builtin_memcpy(&bits, &v, 8);
  return bits;
}
TIDEGAUGE_INLINE uint64_t canonical_bits(int64_t v) { return static_cast<uint64_t>(v); }

template <class T>
TIDEGAUGE_INLINE size_t hash_values(const T* x, size_t n, uint64_t seed, uint64_t limit, uint64_t* out) {
  const U64 limits = broadcast(limit);
  size_t kept = 0, i = 0;
  // Only the widest level multiplies 64-bit lanes in one instruction; elsewhere scalar code is faster.
  for (; kRegisterBytes == 64 && n - i >= 8; i += 8) {
    const U64 h = mix64(canonical_bits(load(x + i)) ^ seed);
    kept += compress_store(out + kept, h, below_mask(h << 12, limits));
  }
  for (; i < n; ++i) {
    uint64_t h = mix64(canonical_bits(x[i]) ^ seed);
    asm("" : "+r"(h));  // or the compiler makes vectors of it after all
    out[kept] = h;
    kept += (h << 12) < limit;
  }
  return kept;
}

size_t hash_f64(const double* x, size_t n, uint64_t seed, uint64_t limit, uint64_t* out) {
  return hash_values(x, n, seed, limit, out);
}
size_t hash_i64(const int64_t* x, size_t n, uint64_t seed, uint64_t limit, uint64_t* out) {
  return hash_values(x, n, seed, limit, out);
}

size_t unseen(const uint64_t* hashes, size_t n, const uint64_t* slots, uint64_t mask, uint64_t* out) {
  size_t kept = 0, i = 0;
  for (; n - i >= 8; i += 8) {
    const U64 h = load(hashes + i);
    const U64 found = gather(slots, h & mask);
    kept += compress_store(out + kept, h, mask_of(h != found));
  }
  for (; i < n; ++i) {
    const uint64_t h = hashes[i];
    out[kept] = h;
    kept += slots[h & mask] != h;
  }
  return kept;
}

size_t unobserved(const uint64_t* hashes, size_t n, const uint8_t* registers, uint64_t* out) {
  size_t kept = 0, i = 0;
#if defined(__AVX512CD__)
  for (; n - i >= 8; i += 8) {
    const U64 h = load(hashes + i);
    // A register holds 4 u + 2 [u - 1 seen] + [u - 2 seen]: bit 2 - d of `seen` says whether u - d was.
    const U64 r = gather_bytes(registers, h >> 52);
    const U64 seen = (r & 3) | 4, level = leading_zeros(h << 12) + 1;
    const I64 distance = bits<I64>(r >> 2) - bits<I64>(level);
    const U64 bit = shift_right(seen, bits<U64>(broadcast(int64_t{2}) - distance)) & 1;
    kept += compress_store(out + kept, h,
                           mask_of(bits<I64>(bit) == I64{}) & mask_of(distance < broadcast(int64_t{3})));
  }
  for (; i < n; ++i) out[kept++] = hashes[i];
#else
  (void)registers;
  for (; i < n; ++i) out[kept++] = hashes[i];
#endif
  return kept;
}

size_t compress_64(const void* x, size_t n, const uint64_t* words, void* out) {
  constexpr size_t kBytes = 8;
  const auto* from = static_cast<const char*>(x);
  auto* to = static_cast<char*>(out);
  size_t kept = 0, i = 0;
  for (; n - i >= 8; i += 8) {
    const auto mask = static_cast<unsigned>(words[i / 64] >> (i % 64)) & 0xff;
    kept += compress_store(to + kept * kBytes, load<uint64_t>(from + i * kBytes), mask);
  }
  for (; i < n; ++i) {
    __builtin_memmove(to + kept * kBytes, from + i * kBytes, kBytes);
    kept += (words[i / 64] >> (i % 64)) & 1;
  }
  return kept;
}

/// Columns j to j + kPacks * kLanes of row i: so many sums at a time, because each waits for itself.
template <size_t kPacks>
TIDEGAUGE_INLINE void add_outer_packs(const double* vectors, size_t n, size_t width, size_t i, size_t j,
                                      double* sums) {
  F64 sum[kPacks];
  for (size_t k = 0; k < kPacks; ++k) sum[k] = load(sums + k * kLanes);
  for (size_t row = 0; row < n; ++row) {
    const double* x = vectors + row * width;
    for (size_t k = 0; k < kPacks; ++k) sum[k] = sum[k] + load(x + j + k * kLanes) * x[i];
  }
  for (size_t k = 0; k < kPacks; ++k) store(sums + k * kLanes, sum[k]);
}

void add_outer(const double* vectors, size_t n, size_t width, double* sums) {
  constexpr size_t kPacks = kRegisterBytes / 16;  // in eight registers
  for (size_t i = 0; i < width; ++i) {
    size_t j = i;
    for (; width - j >= kPacks * kLanes; j += kPacks * kLanes) {
      add_outer_packs<kPacks>(vectors, n, width, i, j, sums);
      sums += kPacks * kLanes;
    }
    for (; width - j >= kLanes; j += kLanes) {
      add_outer_packs<1>(vectors, n, width, i, j, sums);
      sums += kLanes;
    }
    if (j < width) {
      double last[kLanes] = {};
      __builtin_memcpy(last, sums, (width - j) * sizeof(double));
      add_outer_packs<1>(vectors, n, width, i, j, last);
      __builtin_memcpy(sums, last, (width - j) * sizeof(double));
      sums += width - j;
    }
  }
}

}  // namespace

#define TIDEGAUGE_TEXT_(x) #x
#define TIDEGAUGE_TEXT(x) TIDEGAUGE_TEXT_(x)

extern const Table kTable;
const Table kTable = {TIDEGAUGE_TEXT(TIDEGAUGE_LEVEL),
                      survey_f64,
                      survey_i64,
                      finite_f64,
                      count_f64,
                      count_i64,
                      cells_f64,
                      cells_i64,
                      fixed_f64,
                      narrow_f64,
                      hash_f64,
                      hash_i64,
                      unseen,
                      unobserved,
                      compress_64,
                      add_scores,
                      add_waves,
                      add_outer};

}  // namespace tidegauge::kernels::TIDEGAUGE_LEVEL
