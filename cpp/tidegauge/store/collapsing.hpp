#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace tidegauge::store {

/// Counts of consecutive integer indices, from the lowest counted to the highest. Whoever owns it keeps the
/// range short, by `halve`.
class Collapsing {
 public:
  bool empty() const { return counts_.empty(); }
  int32_t first() const { return first_; }
  int32_t last() const { return first_ + static_cast<int32_t>(counts_.size()) - 1; }
  const std::vector<uint64_t>& counts() const { return counts_; }
  uint64_t total() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }

  /// Counts one at an index inside the range; returns false, and does nothing, if it is outside.
  bool count_inside(int32_t index) {
    const auto at = static_cast<uint32_t>(index) - static_cast<uint32_t>(first_);
    if (at >= counts_.size()) return false;
    ++counts_[at];
    return true;
  }

  /// How long the range would be with [low, high] in it and every index halved `times` times.
  size_t width_with(int32_t low, int32_t high, unsigned times) const {
    if (!empty()) {
      low = std::min(low, first());
      high = std::max(high, last());
    }
    return static_cast<size_t>((high >> times) - (low >> times)) + 1;
  }

  /// Adds counts from index `first` on; the first and the last are not zero.
  void add(int32_t first, const std::vector<uint64_t>& counts) {
    if (counts.empty()) return;
    if (empty()) {
      first_ = first;
      counts_ = counts;
      return;
    }
    if (first < first_) {
      counts_.insert(counts_.begin(), static_cast<size_t>(first_ - first), 0);
      first_ = first;
    }
    const auto at = static_cast<size_t>(first - first_);
    counts_.resize(std::max(counts_.size(), at + counts.size()));
    for (size_t i = 0; i < counts.size(); ++i) counts_[at + i] += counts[i];
  }

  /// Index i becomes i >> times.
  void halve(unsigned times) {
    if (times == 0 || empty()) return;
    const int32_t first = first_ >> times;
    std::vector<uint64_t> counts(static_cast<size_t>((last() >> times) - first) + 1);
    for (size_t i = 0; i < counts_.size(); ++i) {
      counts[static_cast<size_t>(((first_ + static_cast<int32_t>(i)) >> times) - first)] += counts_[i];
    }
    first_ = first;
    counts_ = std::move(counts);
  }

  bool operator==(const Collapsing&) const = default;

 private:
  int32_t first_ = 0;
  std::vector<uint64_t> counts_;
};

}  // namespace tidegauge::store
