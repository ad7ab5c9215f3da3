#include "tidegauge/sketch/exponential.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tidegauge/base/error.hpp"

namespace tidegauge::sketch {

namespace {

constexpr uint64_t kMaxCount = uint64_t{1} << 62;
constexpr unsigned kMaxHalvings = 8;  // the whole range of doubles, 67,137 buckets of scale 5, then takes 263

/// A bucket's value of least relative error: (b - 1) / (b + 1) at both of its ends, b their ratio.
double middle_of(int32_t bucket, int scale) {
  const double low = std::exp2(std::ldexp(bucket, -scale));
  const double ratio = std::exp2(std::ldexp(1.0, -scale));
  return std::max(low * (2 * ratio / (1 + ratio)), std::numeric_limits<double>::denorm_min());
}

}  // namespace

void Exponential::update(std::span<const double> values) {
  n_ += values.size();
  for (const double x : values) {
    if (x == 0) {
      ++n_zero_;
      continue;
    }
    const int32_t bucket = binning::exponential_index(x) >> halvings_;
    store::Collapsing& store = x < 0 ? negative_ : positive_;
    if (store.count_inside(bucket)) continue;
    const unsigned before = halvings_;
    make_room(bucket, bucket, x < 0);
    store.add(bucket >> (halvings_ - before), {1});
  }
}

void Exponential::make_room(int32_t low, int32_t high, bool negative) {
  const store::Collapsing& store = negative ? negative_ : positive_;
  unsigned times = 0;
  while (store.width_with(low, high, times) > kMaxBuckets) ++times;
  lower_scale(times);
}

void Exponential::lower_scale(unsigned times) {
  positive_.halve(times);
  negative_.halve(times);
  halvings_ += times;
}

void Exponential::merge(const Exponential& other) {
  if (n_ + other.n_ > kMaxCount) throw MergeError("exponential histogram: more than 2^62 values together");
  Exponential theirs = other;
  if (theirs.halvings_ < halvings_) theirs.lower_scale(halvings_ - theirs.halvings_);
  if (halvings_ < theirs.halvings_) lower_scale(theirs.halvings_ - halvings_);
  for (const bool negative : {false, true}) {
    const store::Collapsing& store = negative ? theirs.negative_ : theirs.positive_;
    if (store.empty()) continue;
    make_room(store.first(), store.last(), negative);
    theirs.lower_scale(halvings_ - theirs.halvings_);
  }
  positive_.add(theirs.positive_.first(), theirs.positive_.counts());
  negative_.add(theirs.negative_.first(), theirs.negative_.counts());
  n_ += theirs.n_;
  n_zero_ += theirs.n_zero_;
}

double Exponential::quantile(double q) const {
  if (n_ == 0) throw SchemaError("exponential histogram: no quantile of no values; update it first");
  if (!(q >= 0 && q <= 1)) {
    throw SchemaError("exponential histogram: quantile " + std::to_string(q) + " is outside [0, 1]");
  }
  uint64_t below = 0;
  const auto reached = [&](uint64_t count) {
    below += count;
    return count > 0 && static_cast<double>(below) / static_cast<double>(n_) >= q;
  };
  for (int32_t i = negative_.last(); !negative_.empty() && i >= negative_.first(); --i) {
    if (reached(negative_.counts()[static_cast<size_t>(i - negative_.first())]))
      return -middle_of(i, scale());
  }
  if (reached(n_zero_)) return 0;
  for (int32_t i = positive_.first(); !positive_.empty() && i <= positive_.last(); ++i) {
    if (reached(positive_.counts()[static_cast<size_t>(i - positive_.first())])) return middle_of(i, scale());
  }
  return 0;  // not reached: all n values together have rank 1
}

double Exponential::quantile_error() const {
  const double ratio = std::exp2(std::ldexp(1.0, -scale()));
  return (ratio - 1) / (ratio + 1);
}

void Exponential::encode(ByteWriter& out) const {
  out.put(static_cast<uint8_t>(halvings_));
  out.put_varint(n_zero_);
  for (const store::Collapsing* store : {&positive_, &negative_}) {
    out.put_varint(store->counts().size());
    if (store->empty()) continue;
    out.put(store->first());
    for (const uint64_t count : store->counts()) out.put_varint(count);
  }
}

Exponential Exponential::decode(ByteReader& in) {
  const auto refuse_if = [](bool wrong, const char* what) {
    if (wrong) throw DecodeError(std::string("exponential histogram: ") + what);
  };
  Exponential result;
  result.halvings_ = in.get<uint8_t>("exponential histogram's scale");
  refuse_if(result.halvings_ > kMaxHalvings, "the scale is out of range");
  const auto take = [&](const char* what) {
    const uint64_t count = in.get_varint(what);
    refuse_if(count > kMaxCount - result.n_, "more than 2^62 values");
    result.n_ += count;
    return count;
  };
  result.n_zero_ = take("exponential histogram's zeros");
  size_t widest = 0;
  for (store::Collapsing* store : {&result.positive_, &result.negative_}) {
    const size_t size = in.get_count(1, "exponential histogram's buckets");
    refuse_if(size > kMaxBuckets, "too many buckets");
    if (size == 0) continue;
    const auto first = in.get<int32_t>("exponential histogram's first bucket");
    const auto room =
        static_cast<int64_t>(binning::kHighestBucket >> result.halvings_) - static_cast<int64_t>(size) + 1;
    refuse_if(first < binning::kLowestBucket >> result.halvings_ || first > room,
              "buckets where no double lies");
    std::vector<uint64_t> counts(size);
    for (uint64_t& count : counts) count = take("exponential histogram's count");
    refuse_if(counts.front() == 0 || counts.back() == 0, "an empty bucket at an end");
    store->add(first, counts);
    widest = std::max(widest, size);
  }
  // Halved once less, a range doubles at most: too short a one would not have been halved.
  refuse_if(result.halvings_ > 0 && 2 * widest <= kMaxBuckets, "a scale coarser than the range demands");
  return result;
}

}  // namespace tidegauge::sketch
