#include "tidegauge/joint/sums.hpp"

#include <algorithm>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/int128.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

constexpr int64_t kSquare = kernels::kMaxScore * kernels::kMaxScore;
constexpr int64_t kWaveTop = (1 << kernels::kWaveBits) + 1;  // what the polynomial reaches

/// Small numbers of either sign in few bytes.
void put_signed(ByteWriter& out, int64_t value) {
  out.put_varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

/// One whose absolute value is at most `limit`.
int64_t get_signed(ByteReader& in, int64_t limit) {
  const uint64_t folded = in.get_varint("joint");
  const auto value = static_cast<int64_t>((folded >> 1) ^ (~(folded & 1) + 1));
  if (value > limit || value < -limit) throw DecodeError("joint: a sum that so few rows do not have");
  return value;
}

void add(std::vector<int64_t>& to, const std::vector<int64_t>& from) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

}  // namespace

Sums::Sums(size_t n_columns, size_t n_waves, bool with_squares)
    : sums_(n_columns),
      products_(n_pairs(n_columns)),
      squares_(with_squares ? n_pairs(n_columns) : 0),
      waves_(2 * n_waves) {}

void Sums::update(const kernels::ScoreView& rows, const kernels::Waves& waves) {
  if (rows.n_rows == 0) return;
  const kernels::Table& kernel = kernels::table();
  kernel.add_scores(rows, {sums_.data(), products_.data(), squares_.data()});
  if (waves.n_waves > 0) kernel.add_waves(rows, waves, waves_.data());
  n_ += rows.n_rows;
}

void Sums::merge(const Sums& other) {
  n_ += other.n_;
  add(sums_, other.sums_);
  add(products_, other.products_);
  if (!squares_.empty()) add(squares_, other.squares_);
  add(waves_, other.waves_);
}

void Sums::encode(ByteWriter& out) const {
  out.put_varint(n_);
  for (const auto* each : {&sums_, &products_, &squares_, &waves_}) {
    for (const int64_t sum : *each) put_signed(out, sum);
  }
}

Sums Sums::decode(ByteReader& in, size_t n_columns, size_t n_waves, bool with_squares) {
  const uint64_t n = in.get_varint("joint");
  if (n > kMaxRows) throw DecodeError("joint: more than 2^38 rows");
  const size_t needed = n_columns + (with_squares ? 2 : 1) * n_pairs(n_columns) + 2 * n_waves;
  if (needed > in.remaining()) throw DecodeError("joint: fewer sums than its columns have (truncated?)");
  Sums s(n_columns, n_waves, with_squares);
  s.n_ = n;
  const auto rows = static_cast<int64_t>(n);
  for (int64_t& sum : s.sums_) sum = get_signed(in, rows * kernels::kMaxScore);
  for (int64_t& sum : s.products_) sum = get_signed(in, rows * kSquare);
  for (int64_t& sum : s.squares_) sum = get_signed(in, rows * kSquare * kSquare);
  for (int64_t& sum : s.waves_) sum = get_signed(in, rows * kWaveTop);
  s.check();
  return s;
}

void Sums::check() const {
  const auto refuse = [] { throw DecodeError("joint: sums that no rows have together"); };
  const auto n = static_cast<int128>(n_);
  const auto square = [](int64_t x) { return static_cast<int128>(x) * x; };
  // Cauchy and Schwarz, thrice: 1 with z_i, z_i with z_j, 1 with z_i z_j. No side leaves 127 bits.
  const size_t d = n_columns();
  std::vector<size_t> diagonal(d);
  for (size_t i = 0, at = 0; i < d; at += d - i, ++i) diagonal[i] = at;
  for (size_t i = 0; i < d; ++i) {
    const int64_t own = products_[diagonal[i]];
    if (own < 0 || square(sums_[i]) > n * own || ((own ^ sums_[i]) & 1)) refuse();
    for (size_t j = i; j < d; ++j) {
      const size_t at = diagonal[i] + j - i;
      if (square(products_[at]) > static_cast<int128>(own) * products_[diagonal[j]]) refuse();
      if (squares_.empty()) continue;
      if (squares_[at] < 0 || square(products_[at]) > n * squares_[at] ||
          ((products_[at] ^ squares_[at]) & 1)) {
        refuse();
      }
      const int128 both = static_cast<int128>(squares_[diagonal[i]]) * squares_[diagonal[j]];
      if (square(squares_[at]) > both) refuse();
    }
  }
}

}  // namespace tidegauge::joint
