#pragma once

#include <bit>
#include <cstdint>

namespace tidegauge {

// Logarithms of sums, products and divisions alone, so that every machine has the same digits, which those of
// the C library are not; to two units in the last place.

/// log((1 + s) / (1 - s)) of |s| < .172.
inline double logarithm_of_ratio(double s) {
  // 2 (s + s^3/3 + s^5/5 + ...): the next term is below 2^-60 of the first.
  const double t = s * s;
  // Eleven terms in two chains, by even and odd powers of t: half the time of one.
  const double w = t * t;
  const double even = 1.0 / 3 + w * (1.0 / 7 + w * (1.0 / 11 + w * (1.0 / 15 + w * (1.0 / 19 + w / 23))));
  const double odd = 1.0 / 5 + w * (1.0 / 9 + w * (1.0 / 13 + w * (1.0 / 17 + w / 21)));
  const double series = even + t * odd;
  return 2 * s + 2 * s * t * series;
}

/// The natural logarithm of a finite x > 0.
inline double logarithm(double x) {
  double exponent = 0;
  if (x < 0x1p-1022) x *= 0x1p54, exponent = -54;
  // x = 2^k m with m from sqrt(1/2) to sqrt(2): so k is 0 around 1, where nothing may cancel.
  constexpr uint64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<uint64_t>(x);
  const int64_t k = static_cast<int64_t>(bits - kRootOfHalf) >> 52;
  const auto m = std::bit_cast<double>(bits - (static_cast<uint64_t>(k) << 52));
  exponent += static_cast<double>(k);
  // log 2 in two parts, of which the first times any k is exact.
  constexpr double kHigh = 0x1.62e42feep-1, kLow = 0x1.a39ef35793c76p-33;
  return exponent * kHigh + (logarithm_of_ratio((m - 1) / (m + 1)) + exponent * kLow);
}

}  // namespace tidegauge
