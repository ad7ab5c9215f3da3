#pragma once

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/int128.hpp"

namespace tidegauge::joint {

/// Whole numbers of either sign, up to 2^126, in few bytes where they are small: folded to where the sign is
/// the last bit, then the low 63 bits beside whether more follow, then these.
inline void put_wide(ByteWriter& out, int128 value) {
  const auto folded = (static_cast<uint128>(value) << 1) ^ static_cast<uint128>(value >> 127);
  const auto high = static_cast<uint64_t>(folded >> 63);
  out.put_varint((static_cast<uint64_t>(folded) << 1) | (high ? 1 : 0));
  if (high) out.put_varint(high);
}

inline int128 get_wide(ByteReader& in, const char* what) {
  const uint64_t low = in.get_varint(what);
  uint128 folded = low >> 1;
  if (low & 1) {
    const uint64_t high = in.get_varint(what);
    if (high == 0) throw DecodeError(std::string(what) + ": not a number in its shortest form");
    folded |= static_cast<uint128>(high) << 63;
  }
  return static_cast<int128>(folded >> 1) ^ -static_cast<int128>(folded & 1);
}

}  // namespace tidegauge::joint
