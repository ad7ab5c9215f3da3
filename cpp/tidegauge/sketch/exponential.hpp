#pragma once

#include <cstdint>
#include <span>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/binning/exponential.hpp"
#include "tidegauge/store/collapsing.hpp"

namespace tidegauge::sketch {

/// Base-2 exponential histogram, as OpenTelemetry and Prometheus define it: at scale s, bucket i of the
/// positive values holds (2^(i/2^s), 2^((i+1)/2^s)], the negative ones mirror it, zero is apart. Subnormals
/// are bucketed like any number.
///
/// The scale is 5 (a bucket is 2.2 % wide) while the positive and the negative range take 320 buckets each,
/// that is ten octaves; it then falls, a halving of the buckets at a time, as far as the range seen demands
/// and no further. So the state depends on the values alone: any order, split or merge tree gives the same
/// bytes.
class Exponential {
 public:
  static constexpr size_t kMaxBuckets = 320;

  /// Finite values only; -0.0 is a zero.
  void update(std::span<const double> values);
  void merge(const Exponential& other);

  uint64_t n() const { return n_; }
  uint64_t n_zero() const { return n_zero_; }
  int scale() const { return binning::kFinestScale - static_cast<int>(halvings_); }
  const store::Collapsing& positive() const { return positive_; }
  const store::Collapsing& negative() const { return negative_; }

  /// A number within quantile_error() of the smallest value whose rank (fraction of values <= it) is at least
  /// q. Throws SchemaError if empty or if q is outside [0, 1].
  double quantile(double q) const;

  /// The relative error of a quantile: half a bucket; 0.0109 at scale 5.
  double quantile_error() const;

  size_t memory_bytes() const { return 2 * kMaxBuckets * sizeof(uint64_t); }
  void encode(ByteWriter& out) const;
  static Exponential decode(ByteReader& in);

  bool operator==(const Exponential&) const = default;

 private:
  /// Lowers the scale until the ranges fit with these added, indices being at the present scale.
  void make_room(int32_t low, int32_t high, bool negative);
  void lower_scale(unsigned times);

  unsigned halvings_ = 0;
  uint64_t n_ = 0;
  uint64_t n_zero_ = 0;
  store::Collapsing positive_, negative_;
};

}  // namespace tidegauge::sketch
