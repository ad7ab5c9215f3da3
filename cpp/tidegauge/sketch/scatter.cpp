#include "tidegauge/sketch/scatter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tidegauge/base/error.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::sketch {
namespace {

constexpr double kBeyond = std::numeric_limits<double>::infinity();

double checked(double sum) { return std::isfinite(sum) ? sum + 0.0 : kBeyond; }

}  // namespace

std::vector<double> Scatter::products() const {
  std::vector<double> sums = total_;
  if (waiting_ > 0) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += block_[i];
  }
  std::ranges::transform(sums, sums.begin(), checked);
  return sums;
}

void Scatter::update(const double* vectors, size_t n) {
  if (n == 0) return;
  total_.resize(size());
  block_.resize(size());
  while (n > 0) {
    const size_t m = std::min(n, kBlock - waiting_);
    kernels::table().add_outer(vectors, m, width_, block_.data());
    vectors += m * width_;
    n -= m;
    n_ += m;
    waiting_ += m;
    if (waiting_ < kBlock) continue;
    for (size_t i = 0; i < total_.size(); ++i) total_[i] += block_[i];
    std::ranges::fill(block_, 0.0);
    waiting_ = 0;
  }
}

void Scatter::merge(const Scatter& other) {
  if (other.n_ == 0) return;
  if (n_ == 0) {
    *this = other;
    return;
  }
  const std::vector<double> theirs = other.products();
  total_ = products();
  for (size_t i = 0; i < total_.size(); ++i) total_[i] += theirs[i];
  std::ranges::fill(block_, 0.0);
  n_ += other.n_;
  waiting_ = 0;
}

bool Scatter::operator==(const Scatter& other) const {
  ByteWriter a, b;
  encode(a);
  other.encode(b);
  return std::ranges::equal(a.bytes(), b.bytes());
}

void Scatter::encode(ByteWriter& out) const {
  out.put_varint(n_);
  if (n_ == 0) return;
  out.put_varint(waiting_);
  if (n_ > waiting_) {
    for (const double sum : total_) out.put(checked(sum));
  }
  if (waiting_ > 0) {
    for (const double sum : block_) out.put(checked(sum));
  }
}

Scatter Scatter::decode(ByteReader& in, size_t width) {
  constexpr const char* kWhat = "scatter";
  Scatter s(width);
  s.n_ = in.get_varint(kWhat);
  if (s.n_ > uint64_t{1} << 62) throw DecodeError("scatter: count beyond 2^62");
  if (s.n_ == 0) return s;
  const uint64_t waiting = in.get_varint(kWhat);
  if (waiting >= kBlock || waiting > s.n_) throw DecodeError("scatter: more vectors wait than a block holds");
  s.waiting_ = static_cast<size_t>(waiting);
  const size_t held = (s.n_ > waiting ? 1u : 0u) + (waiting > 0 ? 1u : 0u);
  if (in.remaining() < held * s.size() * sizeof(double)) {
    throw DecodeError("scatter: fewer sums than a vector has pairs (truncated?)");
  }
  s.total_.resize(s.size());
  s.block_.resize(s.size());
  const auto read = [&](std::vector<double>& sums) {
    in.get_array(std::span<double>(sums), kWhat);
    for (size_t i = 0, at = 0; i < width; at += width - i, ++i) {
      for (size_t j = 0; j < width - i; ++j) {
        const double sum = sums[at + j];
        if (std::isnan(sum) || sum == -kBeyond || (sum == 0 && std::signbit(sum)) || (j == 0 && sum < 0)) {
          throw DecodeError("scatter: a sum that no vectors have");
        }
      }
    }
  };
  if (s.n_ > waiting) read(s.total_);
  if (waiting > 0) read(s.block_);
  return s;
}

}  // namespace tidegauge::sketch
