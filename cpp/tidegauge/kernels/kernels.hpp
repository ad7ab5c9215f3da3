#pragma once

#include <cstddef>
#include <cstdint>

#include "tidegauge/base/int128.hpp"
#include "tidegauge/kernels/grid.hpp"
#include "tidegauge/kernels/scores.hpp"

namespace tidegauge::kernels {

/// Sums advance in this many independent lanes; the value at position i of a stream belongs to lane i mod 8.
/// Fixed, so that every instruction set adds the same numbers in the same order.
inline constexpr size_t kLanes = 8;

/// Of fixed point: z within +-2^5, so that z^2 in units of 2^-40 takes 50 bits, which a double rounds
/// exactly.
inline constexpr int kFixedBits = 40;
inline constexpr double kFixedReach = 32;

/// Power sums about `pivot`, a lane each, and the sum itself: doubles as they are; int64 in two exact halves.
struct PowerLanes {
  double pivot = 0;
  double sum[kLanes] = {};
  double s1[kLanes] = {}, s2[kLanes] = {}, s3[kLanes] = {}, s4[kLanes] = {};
};

/// What one look at a tile of numbers tells.
template <class T>
struct TileFacts {
  size_t n_nan = 0, n_pos_inf = 0, n_neg_inf = 0, n_zero = 0, n_negative = 0;
  T min = 0, max = 0;  // of the finite values; meaningless if there are none
  int128 sum = 0;      // int64 only
};

/// What the place of a number among some cuts tells, as bits.
struct Cuts {
  const double* values;
  const uint64_t* flips;
  size_t n;
  uint64_t kept, missing;
};

/// The functions that touch every value, compiled once for each instruction set. All levels compute the same
/// bits. Pointers to values must be aligned for their type; sizes are numbers of values.
struct Table {
  const char* name;

  /// Counts, extremes and power sums of n finite-or-not doubles. Adds the values to `lanes` only if all of
  /// them are finite; otherwise leaves `lanes` alone. `phase` is the lane of x[0].
  /// Returns the number of values that are not finite; the three homes are counted in `facts`.
  size_t (*survey_f64)(const double* x, size_t n, size_t phase, PowerLanes& lanes, TileFacts<double>& facts);
  void (*survey_i64)(const int64_t* x, size_t n, size_t phase, PowerLanes& lanes, TileFacts<int64_t>& facts);

  /// Copies the finite values and counts the others; returns how many it copied. `out` has room for n + 8
  /// values, and may be x itself.
  size_t (*finite_f64)(const double* x, size_t n, double* out, TileFacts<double>& facts);

  /// Increments counts[c] for the cell c of every finite x; counts has 4 tables of grid.stride each. Where
  /// scores are wanted, writes that of the cell of each x.
  void (*count_f64)(const double* x, size_t n, const Grid<double>& grid, uint32_t* counts,
                    const CellScores& scores);
  void (*count_i64)(const int64_t* x, size_t n, const Grid<int64_t>& grid, uint32_t* counts,
                    const CellScores& scores);

  /// Writes the cell of every finite x; `out` has room for n + 8.
  void (*cells_f64)(const double* x, size_t n, const Grid<double>& grid, uint64_t* out);
  void (*cells_i64)(const int64_t* x, size_t n, const Grid<int64_t>& grid, uint64_t* out);

  /// Fixed point of finite x: with z = x * scale, clamped to +-kFixedReach, writes z and z^2 in units of
  /// 2^-kFixedBits, each rounded to the nearest (ties to even); both have room for n + 8. Returns the largest
  /// |z| before the clamp, or NaN if an x is not finite; `scale` is at most 1.
  double (*fixed_f64)(const double* x, size_t n, double scale, int64_t* z, int64_t* squares);

  /// Clears bits of open[i] by the place of x[i] among ascending cuts: keeps those of `kept` with, for each
  /// cut at or below it, the bits of that cut's `flips` turned over; those of `missing` where x[i] is NaN.
  /// `open` has room for n + 8.
  void (*narrow_f64)(const double* x, size_t n, const Cuts& cuts, uint64_t* open);

  /// Writes the hashes (hash_bits of the canonical bits) of those values whose hash could change a distinct
  /// counter that ignores hashes h with (h << 12) >= limit. Returns how many were written.
  size_t (*hash_f64)(const double* x, size_t n, uint64_t seed, uint64_t limit, uint64_t* out);
  size_t (*hash_i64)(const int64_t* x, size_t n, uint64_t seed, uint64_t limit, uint64_t* out);

  /// Of n hashes keeps those that are not found at slots[h & mask], in order; may work in place.
  size_t (*unseen)(const uint64_t* hashes, size_t n, const uint64_t* slots, uint64_t mask, uint64_t* out);

  /// Of n hashes keeps those that would change a register of an UltraLogLog of 4,096 (see sketch::Distinct),
  /// in order; may work in place. Levels without a vector count of leading zeros keep all.
  size_t (*unobserved)(const uint64_t* hashes, size_t n, const uint8_t* registers, uint64_t* out);

  /// Copies the values, of any type of 8 bytes, whose bit in `words` is set; returns how many. `out` has room
  /// for n + 8 values, and may be x itself.
  size_t (*compress_64)(const void* x, size_t n, const uint64_t* words, void* out);

  /// Adds the scores of rows, their products and the squares of these to the sums.
  void (*add_scores)(const ScoreView& x, const ScoreSums& sums);

  /// Adds the waves of rows, at most 2^20 of them, to sums[2 k] (cosine) and sums[2 k + 1] (sine).
  void (*add_waves)(const ScoreView& x, const Waves& waves, int64_t* sums);

  /// Adds x_i x_j of n vectors of a width, one behind the other, to the upper triangle of sums, row after
  /// row: each sum vector by vector, so that no cut of the vectors shows. Behind the last vector eight more
  /// numbers can be read.
  void (*add_outer)(const double* vectors, size_t n, size_t width, double* sums);
};

/// The table for this machine: the best level it can run, or the one that TIDEGAUGE_ISA names.
/// Chosen once; throws SchemaError if TIDEGAUGE_ISA names a level this machine or build does not have.
const Table& table();

/// Forces a level by name ("base", "v3", "v4"); for tests and benchmarks, not while updates run.
void force_level(const char* name);

/// The names of the levels that this machine can run, separated by spaces.
const char* available_levels();

}  // namespace tidegauge::kernels
