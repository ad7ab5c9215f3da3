#pragma once

// Kernels over scores: 8-bit numbers, whose sums are exact. Part of level.cpp, and included from there alone.

#include "tidegauge/kernels/scores.hpp"
#include "tidegauge/kernels/simd.hpp"

namespace tidegauge::kernels::TIDEGAUGE_LEVEL {
namespace {

/// Steps after which a lane of 32 bits might overflow: each adds two fourth powers of a score.
constexpr size_t kSteps = 64;
static_assert(2 * kSteps * kMaxScore * kMaxScore * kMaxScore * kMaxScore < (uint64_t{1} << 31));

/// Adds the products of four columns with four, and of their squares if `squared`, over rows [0, n).
template <bool squared>
TIDEGAUGE_INLINE void add_block(const int8_t* a, const int8_t* b, size_t stride, size_t n,
                                int64_t (&totals)[kScoreColumns][kScoreColumns]) {
  const auto read = [](const int8_t* p) {
    const I16 z = widen(p);
    if constexpr (squared) {
      return z * z;
    } else {
      return z;
    }
  };
  for (size_t begin = 0; begin < n; begin += kSteps * kHalves) {
    const size_t end = n - begin < kSteps * kHalves ? n : begin + kSteps * kHalves;
    I32 lanes[kScoreColumns][kScoreColumns] = {};
    for (size_t row = begin; row < end; row += kHalves) {
      I16 right[kScoreColumns];
      for (size_t j = 0; j < kScoreColumns; ++j) right[j] = read(b + j * stride + row);
      for (size_t i = 0; i < kScoreColumns; ++i) {
        const I16 left = read(a + i * stride + row);
        for (size_t j = 0; j < kScoreColumns; ++j) lanes[i][j] += dot_pairs(left, right[j]);
      }
    }
    for (size_t i = 0; i < kScoreColumns; ++i) {
      for (size_t j = 0; j < kScoreColumns; ++j) totals[i][j] += total(lanes[i][j]);
    }
  }
}

void add_scores(const ScoreView& x, const ScoreSums& out) {
  const size_t d = x.n_columns, n = round_up(x.n_rows, kScoreRows);
  const I16 ones = I16{} + 1;
  for (size_t j = 0; j < d; ++j) {
    for (size_t begin = 0; begin < n; begin += kSteps * kHalves) {
      const size_t end = n - begin < kSteps * kHalves ? n : begin + kSteps * kHalves;
      I32 lanes{};
      for (size_t row = begin; row < end; row += kHalves) {
        lanes += dot_pairs(widen(x.data + j * x.stride + row), ones);
      }
      out.sums[j] += total(lanes);
    }
  }
  for (size_t i = 0; i < d; i += kScoreColumns) {
    for (size_t j = i; j < d; j += kScoreColumns) {
      const int8_t *a = x.data + i * x.stride, *b = x.data + j * x.stride;
      int64_t products[kScoreColumns][kScoreColumns] = {}, squares[kScoreColumns][kScoreColumns] = {};
      add_block<false>(a, b, x.stride, n, products);
      add_block<true>(a, b, x.stride, n, squares);
      for (size_t r = i; r < i + kScoreColumns && r < d; ++r) {
        for (size_t c = j < r ? r : j; c < j + kScoreColumns && c < d; ++c) {
          const size_t at = r * d - r * (r + 1) / 2 + c;
          out.products[at] += products[r - i][c - j];
          out.squares[at] += squares[r - i][c - j];
        }
      }
    }
  }
}

/// The definition of `cosine`, lane by lane.
TIDEGAUGE_INLINE I16 cosines(U16 phase) {
  const I16 v = (I16)(16384 - ((I16)phase < 0 ? -phase : phase));
  const I16 square = high_halves(v, v) << 2;
  const I16 t = 5275 - high_halves(square, I16{} + 2414);
  const I16 u = 12866 - high_halves(square, t << 2);
  return high_halves(v, u << 1);
}

void add_waves(const ScoreView& x, const Waves& waves, int64_t* sums) {
  constexpr size_t kBlocks = 4;  // of rows, so that a weight is fetched once for all
  constexpr int kShift = 3;      // of a phase of kPhaseUnits a turn to one of 2^16
  static_assert((kPhaseUnits << kShift) == 1 << 16);
  const size_t pairs = round_up(x.n_columns, kScoreColumns) / 2, n = round_up(x.n_rows, kScoreRows);
  const I16 ones = I16{} + 1;
  I32 lanes[2 * kMaxWaves];
  for (size_t k = 0; k < 2 * waves.n_waves; ++k) lanes[k] = I32{};
  I8 mixed[kBlocks][32];  // of a row, a pair of columns each, plus 64, so that they are not negative
  for (size_t row = 0; row < n;) {
    const size_t left = (n - row) / kHalves, blocks = left < kBlocks ? left : kBlocks;
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t p = 0; p < pairs; ++p) {
        const int8_t* at = x.data + 2 * p * x.stride + row + b * kHalves;
        mixed[b][p] = b < blocks ? interleave(at, at + x.stride) + 64 : I8{};
      }
    }
    for (size_t k = 0; k < waves.n_waves; ++k) {
      const int8_t* weights = waves.weights + k * 2 * pairs;
      U16 phase[kBlocks] = {};  // turns that are complete wrap away
      int bias = 0;
      for (size_t p = 0; p < pairs; ++p) {
        const I8 pair = twice(weights + 2 * p);
        bias += weights[2 * p] + weights[2 * p + 1];
        for (size_t b = 0; b < kBlocks; ++b) phase[b] += (U16)dot_pairs_8(mixed[b][p], pair);
      }
      const U16 offset = U16{} + static_cast<uint16_t>(64 * bias);
      I32 cosine = lanes[2 * k], sine = lanes[2 * k + 1];
      for (size_t b = 0; b < blocks; ++b) {
        const U16 turned = (phase[b] - offset) << kShift;
        cosine += dot_pairs(cosines(turned), ones);
        sine += dot_pairs(cosines(turned - 16384), ones);
      }
      lanes[2 * k] = cosine, lanes[2 * k + 1] = sine;
    }
    row += blocks * kHalves;
  }
  const int64_t padding = static_cast<int64_t>(n - x.n_rows);  // rows of zeros: phase 0
  for (size_t k = 0; k < waves.n_waves; ++k) {
    sums[2 * k] += total(lanes[2 * k]) - padding * cosine(0);
    sums[2 * k + 1] += total(lanes[2 * k + 1]) - padding * cosine(-16384);
  }
}

}  // namespace
}  // namespace tidegauge::kernels::TIDEGAUGE_LEVEL
