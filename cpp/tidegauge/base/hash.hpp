#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tidegauge/base/int128.hpp"

namespace tidegauge {

/// The seed of everything a profile stores by hash. Fixed, so that machines agree without talking.
inline constexpr uint64_t kDefaultSeed = 0x7469646567617567;  // "tidegaug"

/// 128-bit product folded to 64: every input bit reaches every output bit.
inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
  const auto product = static_cast<uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A bijection of 64 bits with good avalanche, from shifts and 64-bit multiplies only, so that a vector unit
/// computes it lane by lane: U is uint64_t or a vector of them. Constants: Stafford's Mix13. Always inlined,
/// because the kernels are compiled for several instruction sets and must not share an out-of-line copy.
template <class U>
[[gnu::always_inline]] inline U mix64(U x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// The hash of a number's canonical 64 bits under a seed.
inline uint64_t hash_bits(uint64_t bits, uint64_t seed) { return mix64(bits ^ seed); }

inline uint64_t load_u64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
inline uint64_t load_u32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}

/// Both words, mixed. Added to their product, because a product with zero would forget the other word, and
/// the word that makes zero is known to whoever knows the seed.
inline uint64_t stir(uint64_t a, uint64_t b) { return fold_multiply(a, b) ^ a ^ b; }

/// Keyed hash of a string. Up to 16 bytes take one multiply-fold and a finisher; longer strings are eaten
/// 16 bytes at a time with an overlapping last step. Never reads outside [data, data + size).
inline uint64_t hash_bytes(const void* bytes, size_t size, uint64_t seed) {
  constexpr uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u, k2 = 0xa0761d6478bd642fu;
  const auto* data = static_cast<const char*>(bytes);
  uint64_t a, b, state = seed ^ k0;
  if (size <= 16) {
    if (size >= 8) {
      a = load_u64(data);
      b = load_u64(data + size - 8);
    } else if (size >= 4) {
      a = load_u32(data);
      b = load_u32(data + size - 4);
    } else if (size > 0) {
      a = (static_cast<uint64_t>(static_cast<unsigned char>(data[0])) << 16) |
          (static_cast<uint64_t>(static_cast<unsigned char>(data[size >> 1])) << 8) |
          static_cast<uint64_t>(static_cast<unsigned char>(data[size - 1]));
      b = 0;
    } else {
      a = b = 0;
    }
  } else {
    size_t at = 0;
    for (; at + 16 < size; at += 16) {
      state = stir(load_u64(data + at) ^ k1, load_u64(data + at + 8) ^ state);
    }
    a = load_u64(data + size - 16);
    b = load_u64(data + size - 8);
  }
  return mix64(stir(a ^ k1, b ^ state) ^ (k2 * (static_cast<uint64_t>(size) + 1)));
}

inline uint64_t hash_text(std::string_view text, uint64_t seed) {
  return hash_bytes(text.data(), text.size(), seed);
}

}  // namespace tidegauge
