#pragma once

#include <cstdint>
#include <type_traits>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/int128.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::sketch {

/// n, mean and central power sums: M_k = sum (x - mean)^k. Where a double cannot hold one of them, it
/// and those of higher power are +infinity, which stays so under every merge. The mean is kept to twice a
/// double's digits: a spread of 1 about 1e15 is told from the distance of two means, and their last digit
/// there is 0.125.
struct CentralMoments {
  uint64_t n = 0;
  double mean = 0, m2 = 0, m3 = 0, m4 = 0;
  double mean_rest = 0;  // of the mean, what the double nearest to it leaves

  /// Chan, Golub and LeVeque's pairwise update, to the fourth power (Pébay 2008). `shift` is b's mean minus
  /// a's.
  static CentralMoments combine(const CentralMoments& a, const CentralMoments& b, double shift);
};

/// The mean and the shape of a stream of finite numbers, and its extremes and sum.
///
/// Values are summed in blocks of kBlock, in eight lanes, as powers of the distance from a pivot: the
/// stream's first value, then the mean so far. A block ends by position, not by call, so any split of the
/// stream into updates gives the same bits; the lanes of the unfinished block are part of the state. Blocks
/// are merged pairwise, which keeps the error of a billion rows near that of a block. The sum of integers is
/// exact (128 bits); of doubles, the block sums are added with compensation.
template <class T>
class Moments {
  static_assert(std::is_same_v<T, double> || std::is_same_v<T, int64_t>);

 public:
  static constexpr size_t kBlock = 4096;

  /// How many values the current block still takes, at least one.
  size_t room() const { return kBlock - waiting_; }

  /// Adds n <= room() values. If some are not finite it adds none and returns how many (see TileFacts).
  size_t update(const T* x, size_t n, kernels::TileFacts<T>& facts);
  void merge(const Moments& other);

  uint64_t n() const { return settled_.n + waiting_; }
  T min() const { return min_; }  // of an empty stream: 0
  T max() const { return max_; }
  double sum() const;  // not finite: beyond a double
  int128 exact_sum() const;
  CentralMoments central() const;

  bool operator==(const Moments& other) const;
  void encode(ByteWriter& out) const;
  static Moments decode(ByteReader& in);

 private:
  void settle();

  CentralMoments settled_;           // of the finished blocks
  double sum_ = 0, correction_ = 0;  // of the finished blocks (doubles); Neumaier's compensated pair
  int128 exact_ = 0;                 // of everything (integers)
  T min_ = 0, max_ = 0;
  size_t waiting_ = 0;  // values in lanes_
  kernels::PowerLanes lanes_;
};

}  // namespace tidegauge::sketch
