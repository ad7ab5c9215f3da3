#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegauge::kernels {

/// The largest score, either way: the fourth power of it, added as often as a register takes before it is
/// emptied, still fits in 32 bits.
inline constexpr int kMaxScore = 63;

/// Columns and rows are processed so many at a time; what is missing to a whole number of them is zero.
inline constexpr size_t kScoreColumns = 4;
inline constexpr size_t kScoreRows = 64;

inline constexpr size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/// The score of each cell of a column, and where to write those of its values; without a table, nowhere.
struct CellScores {
  const int8_t* of_cell = nullptr;
  int8_t* out = nullptr;
};

/// Scores of n_rows rows, column after column, `stride` apart: round_up(n_columns, kScoreColumns) columns of
/// round_up(n_rows, kScoreRows) rows can be read, and hold 0 beyond n_columns and n_rows.
struct ScoreView {
  const int8_t* data;
  size_t stride, n_columns, n_rows;
};

/// Sums over rows, integers that no order of adding changes. `products` and `squares` are the upper triangle,
/// row after row: z_i z_j and (z_i z_j)^2 for i <= j.
struct ScoreSums {
  int64_t* sums;
  int64_t* products;
  int64_t* squares;
};

inline constexpr int kWaveBits = 12;  // a wave goes from -2^12 to 2^12
inline constexpr size_t kMaxWaves = 256;
inline constexpr int kPhaseUnits = 8192;  // of a turn

/// Random projections of the scores: wave k is the cosine and the sine of sum_j weights[k][j] z_j, in units
/// of 1 / kPhaseUnits turns. `weights` has rows of round_up(n_columns, kScoreColumns), zero beyond n_columns.
struct Waves {
  const int8_t* weights;
  size_t n_waves;
};

/// The high half of a product of 16-bit numbers, rounded down.
[[gnu::always_inline]] inline int32_t high_half(int32_t a, int32_t b) { return (a * b) >> 16; }

/// 2^kWaveBits cos(pi phase / 2^15), in whole numbers alone: a polynomial of the fifth degree in the distance
/// from the zero crossing, good to 3 units. The definition, which the vectors follow step by step.
[[gnu::always_inline]] inline int32_t cosine(int16_t phase) {
  const int32_t v = static_cast<int16_t>(16384 - (phase < 0 ? -phase : phase));  // -2^15 comes out right
  const int32_t square = high_half(v, v) * 4;
  const int32_t t = 5275 - high_half(square, 2414);
  const int32_t u = 12866 - high_half(square, t * 4);
  return high_half(v, u * 2);
}

}  // namespace tidegauge::kernels
