#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/sketch/kll_block.hpp"

namespace tidegauge::sketch {

inline constexpr uint32_t kKllDefaultK = 200;

/// Ranks and quantiles of a stream in a few kilobytes: the sketch of Karnin, Lang and Liberty (FOCS 2016),
/// their sampler included. T is double (finite; -0.0 counts as 0.0) or int64_t.
///
/// Values wait, by position, in a block of 128. A full block is sorted, and once the sketch is large every
/// other value is dropped up to three times on the way (sort_block). What is left enters the compactors:
/// level h holds sorted values that stand for 2^h each; a level over its share of the room is halved into the
/// next. From position 4 k^2 on only one value of every stratum of W = 2, 4, 8, ... values is read at all; W
/// doubles whenever the position does, so that at least 4 k^2 samples carry the rank, and it is then that the
/// sketch costs next to nothing. The weights of everything held always add up to n.
///
/// Every choice is drawn from the seed, the position and the values at hand, so the same values in the same
/// order give the same state however they were split into updates. Successive coins of a level alternate
/// (toss, opposite, toss, ...): the second undoes half of what the first did to a rank.
template <class T>
class Kll {
 public:
  explicit Kll(uint32_t k = kKllDefaultK, uint64_t seed = kDefaultSeed);

  void update(std::span<const T> values);

  /// Adds what `other` saw. Symmetric to the byte: merge(a, b) == merge(b, a).
  /// Throws MergeError if k or the seed differ, or if the counts overflow.
  void merge(const Kll& other);

  uint64_t n() const { return n_; }
  uint32_t k() const { return k_; }
  uint64_t seed() const { return seed_; }

  /// True while every value is still held: then ranks and quantiles are exact.
  bool is_exact() const { return variance_ + waiting_variance() == 0; }

  /// The fraction of values <= x, in [0, 1]. 0 if empty.
  double rank(T x) const;

  /// The smallest held value whose rank is at least q (the inverse of `rank`), for each q in [0, 1], in any
  /// order. Throws SchemaError if empty or if a q lies outside [0, 1].
  std::vector<T> quantiles(std::span<const double> q) const;
  T quantile(double q) const { return quantiles({&q, 1}).front(); }

  /// The bound that |rank - true rank| keeps with probability 99 % for any one x, by Hoeffding's inequality
  /// from the coins that were tossed in fact; 0 if exact.
  double rank_error() const;

  /// How many values are held.
  size_t size() const;
  size_t memory_bytes() const { return 2 * size() * sizeof(T) + levels_.capacity() * sizeof(Level); }

  void encode(ByteWriter& out) const;
  static Kll decode(ByteReader& in);

  bool operator==(const Kll&) const = default;

 private:
  struct Level {
    std::vector<T> values;  // ascending
    uint8_t owed = 0;       // 0: the next coin is tossed; otherwise 1 + the coin that it must be
    bool operator==(const Level&) const = default;
  };
  struct Weighted {
    T value;
    uint64_t weight;
  };

  unsigned log_weight_at(uint64_t position) const;
  template <class Visit>
  void for_each_capacity(Visit visit) const;
  void begin_stratum();
  size_t take_whole_strata(std::span<const T> values);
  size_t take_part_of_stratum(std::span<const T> values);
  void flush();
  void push(std::span<const T> sorted, size_t level);
  double waiting_variance() const;
  void push_waiting(const Kll& from);
  void compress();
  void compact(size_t level);
  std::vector<Weighted> held() const;

  uint32_t k_;
  uint64_t seed_;
  uint64_t n_ = 0;
  double variance_ = 0;      // sum over all choices of the largest squared error that each can cause
  unsigned log_weight_ = 0;  // of the pending samples and of the stratum under way
  uint64_t filled_ = 0;      // values of the stratum under way
  T held_{};                 // its pick, or until that arrives its first value
  std::vector<T> pending_;   // by position, at most kBlock - 1
  std::vector<Level> levels_;
};

}  // namespace tidegauge::sketch
