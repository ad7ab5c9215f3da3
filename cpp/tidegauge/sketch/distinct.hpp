#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tidegauge/base/bytes.hpp"

namespace tidegauge::sketch {

/// How many different 64-bit hashes were seen. Exact up to 512; then UltraLogLog (Ertl, VLDB 2024) with 4,096
/// registers of a byte, whose maximum-likelihood estimate has a relative standard error of 1.2 %.
///
/// A hash names a register by its first 12 bits and a level 1, 2, 3, ... by the zeros that follow, each level
/// half as likely as the one before. A register holds the highest level u seen, and of levels u - 1 and u - 2
/// whether they were: 4 u + 2 [u - 1 seen] + [u - 2 seen]; 0 if nothing was.
/// The state depends on the set of hashes alone: any order, any split and any merge tree give the same bytes.
/// Hashes must be keyed and well mixed (hash_bits, hash_text); both sides of a merge must share the key.
class Distinct {
 public:
  static constexpr size_t kMaxExact = 512;
  static constexpr unsigned kPrecision = 12;
  static constexpr size_t kRegisters = size_t{1} << kPrecision;
  static constexpr double kRelativeError = 0.012;  // standard error of the estimate; 0 while exact

  Distinct();

  void update(std::span<const uint64_t> hashes);
  void merge(const Distinct& other);

  bool is_exact() const { return registers_.empty(); }
  double estimate() const;

  /// A hash h with (h << 12) >= limit() cannot change the state, so a kernel may drop it unseen.
  /// While exact: no hash qualifies.
  uint64_t limit() const { return limit_; }

  /// While exact: a hash h that stands at slots()[h & mask()] is already counted, so a kernel may drop it.
  /// Empty slots hold a number that does not belong there. Afterwards: two empty slots, which drop nothing.
  std::span<const uint64_t> slots() const { return slots_; }
  uint64_t mask() const { return slots_.size() - 1; }

  /// Once estimated: the registers, for a kernel that drops what they have already seen. Empty while exact.
  std::span<const uint8_t> registers() const { return registers_; }

  size_t memory_bytes() const { return slots_.capacity() * sizeof(uint64_t) + registers_.capacity(); }
  void encode(ByteWriter& out) const;
  static Distinct decode(ByteReader& in);

  bool operator==(const Distinct& other) const;

 private:
  void insert(uint64_t hash);
  void grow();
  void convert();
  void observe(uint64_t hash);
  void raise_limit();
  std::vector<uint64_t> sorted() const;

  std::vector<uint64_t> slots_;  // linear probing, at most half full
  size_t n_slots_used_ = 0;
  bool has_zero_ = false;           // the hash 0, which no slot can hold
  std::vector<uint8_t> registers_;  // empty while exact
  uint64_t limit_ = ~uint64_t{0};   // follows from the registers; may lag behind them, which costs only time
  unsigned n_changes_ = 0;          // of registers since limit_ was computed
};

}  // namespace tidegauge::sketch
