#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidegauge {

/// SipHash-2-4 with 128 bits of result (Aumasson & Bernstein 2012): who does not know the key can neither
/// tell a text from its hash, nor find two texts of one hash in less than 2^64 attempts.
class SipHash {
 public:
  using Key = std::array<uint64_t, 2>;

  explicit SipHash(const Key& key) : key_(key) {}

  std::array<uint64_t, 2> operator()(const void* bytes, size_t size) const {
    const auto* data = static_cast<const unsigned char*>(bytes);
    State s{key_[0] ^ 0x736f6d6570736575u, key_[1] ^ 0x646f72616e646f6du ^ 0xee,
            key_[0] ^ 0x6c7967656e657261u, key_[1] ^ 0x7465646279746573u};
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
      uint64_t word;
      std::memcpy(&word, data + at, 8);
      s.eat(word);
    }
    uint64_t last = static_cast<uint64_t>(size) << 56;
    for (size_t i = 0; at + i < size; ++i) last |= static_cast<uint64_t>(data[at + i]) << (8 * i);
    s.eat(last);
    s.v2 ^= 0xee;
    const uint64_t low = s.finish();
    s.v1 ^= 0xdd;
    return {low, s.finish()};
  }

 private:
  struct State {
    uint64_t v0, v1, v2, v3;

    void round() {
      v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
    void eat(uint64_t word) {
      v3 ^= word;
      round(), round();
      v0 ^= word;
    }
    uint64_t finish() {
      round(), round(), round(), round();
      return v0 ^ v1 ^ v2 ^ v3;
    }
  };

  Key key_;
};

}  // namespace tidegauge
