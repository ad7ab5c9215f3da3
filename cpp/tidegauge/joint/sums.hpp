#pragma once

#include <cstdint>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/joint/spec.hpp"

namespace tidegauge::joint {

/// Sums over rows of scores z, their products and the waves: whole numbers, so that neither order, split,
/// tree of merges, thread nor instruction set shows.
class Sums {
 public:
  /// Beyond it the squares might leave 64 bits: 2^38 63^4 < 2^62.
  static constexpr uint64_t kMaxRows = uint64_t{1} << 38;

  /// Without `squares` they are not kept, and take neither memory nor bytes.
  Sums(size_t n_columns, size_t n_waves, bool with_squares = true);

  uint64_t n() const { return n_; }
  size_t n_columns() const { return sums_.size(); }
  size_t n_waves() const { return waves_.size() / 2; }
  const std::vector<int64_t>& sums() const { return sums_; }          // sum z_i
  const std::vector<int64_t>& products() const { return products_; }  // sum z_i z_j, i <= j, row after row
  const std::vector<int64_t>& squares() const { return squares_; }    // sum (z_i z_j)^2, likewise
  const std::vector<int64_t>& waves() const { return waves_; }        // cosine and sine of each wave

  /// Adds rows; the total must stay within kMaxRows. Only with squares.
  void update(const kernels::ScoreView& rows, const kernels::Waves& waves);
  /// Adds sums of as many columns and waves; squares only where both have them.
  void merge(const Sums& other);
  bool operator==(const Sums&) const = default;

  void encode(ByteWriter& out) const;
  /// Throws DecodeError for sums that no rows have, as far as inequalities tell.
  static Sums decode(ByteReader& in, size_t n_columns, size_t n_waves, bool with_squares = true);

 private:
  void check() const;

  uint64_t n_ = 0;
  std::vector<int64_t> sums_, products_, squares_, waves_;
};

/// How many pairs i <= j there are of n columns.
inline size_t n_pairs(size_t n_columns) { return n_columns * (n_columns + 1) / 2; }

}  // namespace tidegauge::joint
