#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "tidegauge/base/bytes.hpp"

namespace tidegauge {

/// Counts of cells as varints; a run of n zeros is a zero and n - 1. Small when sparse, and one form only.
template <class Count>
void encode_counts(ByteWriter& out, std::span<const Count> counts) {
  out.put_varint(counts.size());
  std::byte* at = out.extend(kMaxVarint * counts.size());  // growing byte by byte would be most of it
  for (size_t i = 0; i < counts.size();) {
    at = write_varint(at, counts[i]);
    if (counts[i++] != 0) continue;
    size_t more = 0;
    while (i < counts.size() && counts[i] == 0) ++more, ++i;
    at = write_varint(at, more);
  }
  out.cut(at);
}

/// At most `limit` counts, whose sum fits in 64 bits.
inline std::vector<uint64_t> decode_counts(ByteReader& in, size_t limit, const char* what) {
  const uint64_t size = in.get_varint(what);
  if (size > limit) {
    throw DecodeError(std::string(what) + ": " + std::to_string(size) + " cells, but at most " +
                      std::to_string(limit) + " can be");
  }
  std::vector<uint64_t> counts(size);
  uint64_t total = 0;
  bool after_zeros = false;
  for (size_t i = 0; i < size;) {
    const uint64_t count = in.get_varint(what);
    if (count == 0) {
      const uint64_t more = in.get_varint(what);
      if (after_zeros || more >= size - i) throw DecodeError(std::string(what) + ": a run of zeros too long");
      i += 1 + more;
      after_zeros = true;
      continue;
    }
    if (count > std::numeric_limits<uint64_t>::max() - total) {
      throw DecodeError(std::string(what) + ": the counts add up to more than 2^64");
    }
    total += count;
    counts[i++] = count;
    after_zeros = false;
  }
  return counts;
}

}  // namespace tidegauge
