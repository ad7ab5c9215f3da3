#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tidegauge::binning {

/// Buckets of the base-2 exponential histogram of OpenTelemetry and Prometheus, at its scale 5: 32 to an
/// octave. Bucket i holds the x with 2^(i/32) < x <= 2^((i+1)/32); at scale 5 - d it is bucket i >> d.
inline constexpr int kFinestScale = 5;
inline constexpr size_t kPerOctave = size_t{1} << kFinestScale;
inline constexpr int32_t kLowestBucket = -1074 * 32 - 1, kHighestBucket = 1024 * 32 - 1;

/// The mantissas (52 bits, without the leading 1) of the largest doubles not above 2^(j/32): an x in [1, 2)
/// lies above 2^(j/32) exactly if its mantissa is above the j-th of these. Exact integer roots; tests
/// recompute them.
inline constexpr std::array<uint64_t, kPerOctave + 1> kOctave = {
    0x0000000000000, 0x059b0d3158574, 0x0b5586cf9890f, 0x11301d0125b50, 0x172b83c7d517a, 0x1d4873168b9aa,
    0x2387a6e756238, 0x29e9df51fdee1, 0x306fe0a31b715, 0x371a7373aa9ca, 0x3dea64c123422, 0x44e086061892d,
    0x4bfdad5362a27, 0x5342b569d4f81, 0x5ab07dd485429, 0x6247eb03a5584, 0x6a09e667f3bcc, 0x71f75e8ec5f73,
    0x7a11473eb0186, 0x82589994cce12, 0x8ace5422aa0db, 0x93737b0cdc5e4, 0x9c49182a3f090, 0xa5503b23e255c,
    0xae89f995ad3ad, 0xb7f76f2fb5e46, 0xc199bdd85529c, 0xcb720dcef9069, 0xd5818dcfba487, 0xdfc97337b9b5e,
    0xea4afa2a490d9, 0xf50765b6e4540,
    0xfffffffffffff,  // above all: ends the search
};

inline constexpr unsigned kFirstBits = 6;  // 64 even parts of an octave: none holds two boundaries

/// For each part the number of boundaries below all of it.
inline constexpr auto kBoundariesBelow = [] {
  std::array<uint8_t, size_t{1} << kFirstBits> below{};
  for (uint64_t part = 0; part < below.size(); ++part) {
    while (below[part] < kPerOctave && kOctave[below[part]] < part << (52 - kFirstBits)) ++below[part];
  }
  return below;
}();

/// The bucket of |x|, for finite x other than 0, subnormals included. Integer comparisons only, so the bucket
/// is the mathematical one and the same on every machine.
inline int32_t exponential_index(double x) {
  constexpr uint64_t mantissa_mask = (uint64_t{1} << 52) - 1;
  uint64_t bits = std::bit_cast<uint64_t>(x) & ~(uint64_t{1} << 63);
  int32_t exponent = static_cast<int32_t>(bits >> 52) - 1023;
  if (exponent == -1023) {  // subnormal: shift its first 1 to where a leading 1 is implied
    const int zeros = std::countl_zero(bits) - 11;
    bits <<= zeros;
    exponent = -1022 - zeros;
  }
  const uint64_t mantissa = bits & mantissa_mask;
  const uint32_t below = kBoundariesBelow[mantissa >> (52 - kFirstBits)];
  const int32_t above = static_cast<int32_t>(below) + (mantissa > kOctave[below]);
  return exponent * static_cast<int32_t>(kPerOctave) + above - 1;
}

}  // namespace tidegauge::binning
