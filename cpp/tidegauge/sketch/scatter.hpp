#pragma once

#include <cstdint>
#include <vector>

#include "tidegauge/base/bytes.hpp"

namespace tidegauge::sketch {

/// The sums of x_i x_j, i <= j, over vectors of one width.
///
/// Added up in blocks of kBlock vectors, each block from zero: an error of some 10^-13 of sum |x_i x_j| at
/// 10^9 vectors. A block ends by position, not by call, so no split of a stream shows. A sum that a double
/// cannot hold is +infinity, and stays so.
class Scatter {
 public:
  static constexpr size_t kMaxWidth = 256, kBlock = 256, kPadding = 8;

  explicit Scatter(size_t width) : width_(width) {}

  uint64_t n() const { return n_; }
  size_t width() const { return width_; }
  /// Row after row of the upper triangle.
  std::vector<double> products() const;

  /// Adds n vectors, one behind the other; their norms are finite. Behind the last, kPadding more numbers can
  /// be read.
  void update(const double* vectors, size_t n);
  void merge(const Scatter& other);
  bool operator==(const Scatter& other) const;

  void encode(ByteWriter& out) const;
  static Scatter decode(ByteReader& in, size_t width);

 private:
  size_t size() const { return width_ * (width_ + 1) / 2; }

  size_t width_;
  uint64_t n_ = 0;
  size_t waiting_ = 0;                 // vectors of them in block_, fewer than kBlock
  std::vector<double> total_, block_;  // empty until there are vectors
};

}  // namespace tidegauge::sketch
