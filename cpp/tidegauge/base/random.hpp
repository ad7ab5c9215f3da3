#pragma once

#include <cstdint>

#include "tidegauge/base/hash.hpp"

namespace tidegauge {

/// Counter-based randomness: the draw for a position depends on the seed and the position alone, never on
/// how many draws came before. That is what makes a sampled state independent of how rows were batched.
inline uint64_t draw(uint64_t seed, uint64_t position) {
  return mix64(mix64(seed ^ 0x9e3779b97f4a7c15u) + position * 0xd1342543de82ef95u);
}

/// A draw in [0, bound), by multiply-shift; the bias is below bound / 2^64.
inline uint64_t draw_below(uint64_t seed, uint64_t position, uint64_t bound) {
  return static_cast<uint64_t>((static_cast<uint128>(draw(seed, position)) * bound) >> 64);
}

}  // namespace tidegauge
