#pragma once

#include <cstddef>
#include <cstdint>

#include "tidegauge/base/hash.hpp"

namespace tidegauge::fuzz {

/// Choices that follow from one number, so that the number of an execution is all it takes to repeat it.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix64(seed + 0x9e3779b97f4a7c15u)) {}

  uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15u); }
  /// In [0, bound), bound > 0.
  size_t below(size_t bound) { return static_cast<size_t>((static_cast<uint128>(next()) * bound) >> 64); }
  bool one_in(size_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace tidegauge::fuzz
