#include "tidegauge/sketch/kll.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/random.hpp"

namespace tidegauge::sketch {

namespace {

constexpr uint64_t kMaxCount = uint64_t{1} << 62;
constexpr size_t kMaxLevels = 64;
constexpr size_t kMinCapacity = 8;
constexpr uint32_t kMinK = 8, kMaxK = 8192;
constexpr unsigned kMaxThin = 3;

// Streams of coins that must not echo each other.
constexpr uint64_t kPickStream = 0x5069636b;
constexpr uint64_t kThinStream = 0x5468696e;

/// Merges sorted `more` into sorted `values` in place, from the back and without a branch on what comes next.
template <class T>
void merge_into(std::vector<T>& values, std::span<const T> more) {
  size_t i = values.size(), j = more.size();
  values.resize(i + j);
  while (i > 0 && j > 0) {
    const T ours = values[i - 1], theirs = more[j - 1];
    const size_t take_ours = theirs < ours;
    values[i + j - 1] = theirs < ours ? ours : theirs;
    i -= take_ours;
    j -= 1 - take_ours;
  }
  std::copy_n(more.begin(), j, values.begin());
}

/// -0.0 is stored as 0.0, so that equal values have equal bits.
template <class T>
T canonical(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return value + 0.0;
  } else {
    return value;
  }
}

template <class T>
bool is_canonical(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return std::isfinite(value) && !(value == 0 && std::signbit(value));
  } else {
    return true;
  }
}

}  // namespace

template <class T>
Kll<T>::Kll(uint32_t k, uint64_t seed) : k_(k), seed_(seed) {
  if (k < kMinK || k > kMaxK) {
    throw SchemaError("KLL: k is " + std::to_string(k) + ", but must lie between " + std::to_string(kMinK) +
                      " and " + std::to_string(kMaxK));
  }
}

template <class T>
unsigned Kll<T>::log_weight_at(uint64_t position) const {
  const uint64_t doublings = position / (4 * uint64_t{k_} * k_);
  return doublings < 2 ? 0 : static_cast<unsigned>(std::bit_width(doublings)) - 1;
}

/// How much each level may hold: k at the top, and two thirds of it at every step down, but at least 8.
/// Calls visit(level, capacity) from the top down.
template <class T>
template <class Visit>
void Kll<T>::for_each_capacity(Visit visit) const {
  double share = k_;
  for (size_t level = levels_.size(); level-- > 0; share *= 2.0 / 3.0) {
    visit(level, std::max(kMinCapacity, static_cast<size_t>(share)));
  }
}

template <class T>
void Kll<T>::update(std::span<const T> values) {
  while (!values.empty()) {
    if (filled_ == 0) begin_stratum();
    size_t taken;
    if (filled_ == 0 && values.size() >> log_weight_) {
      taken = take_whole_strata(values);
    } else {
      taken = take_part_of_stratum(values);
    }
    values = values.subspan(taken);
  }
}

/// Samples of one weight make a block: when the position asks for another weight, the block ends early.
template <class T>
void Kll<T>::begin_stratum() {
  const unsigned log_weight = log_weight_at(n_);
  if (log_weight == log_weight_) return;
  flush();
  log_weight_ = log_weight;
}

/// The path of large batches: of each stratum it reads the one value it keeps.
template <class T>
size_t Kll<T>::take_whole_strata(std::span<const T> values) {
  const uint64_t next_doubling = (4 * uint64_t{k_} * k_) << (log_weight_ + 1);
  const uint64_t room = kBlock - pending_.size();
  const uint64_t offered = values.size() >> log_weight_;
  const uint64_t until_doubling = next_doubling > n_ ? ((next_doubling - n_ - 1) >> log_weight_) + 1 : 1;
  const size_t strata = std::min({room, offered, until_doubling});
  const size_t old_size = pending_.size();
  pending_.resize(old_size + strata);
  T* out = pending_.data() + old_size;
  if (log_weight_ == 0) {
    for (size_t i = 0; i < strata; ++i) out[i] = canonical(values[i]);
  } else {
    for (size_t i = 0; i < strata; ++i) {
      const uint64_t start = uint64_t{i} << log_weight_;
      out[i] = canonical(values[start + (draw(seed_ ^ kPickStream, n_ + start) >> (64 - log_weight_))]);
    }
  }
  n_ += uint64_t{strata} << log_weight_;
  if (pending_.size() == kBlock) flush();
  return strata << log_weight_;
}

/// Where a batch begins or ends inside a stratum.
template <class T>
size_t Kll<T>::take_part_of_stratum(std::span<const T> values) {
  const uint64_t weight = uint64_t{1} << log_weight_;
  const uint64_t pick = draw(seed_ ^ kPickStream, n_ - filled_) >> (64 - log_weight_);
  const auto taken = static_cast<size_t>(std::min<uint64_t>(weight - filled_, values.size()));
  if (filled_ == 0) held_ = canonical(values.front());
  if (pick >= filled_ && pick - filled_ < taken) held_ = canonical(values[pick - filled_]);
  filled_ += taken;
  n_ += taken;
  if (filled_ == weight) {
    pending_.push_back(held_);
    filled_ = 0;
    held_ = T{};
    if (pending_.size() == kBlock) flush();
  }
  return taken;
}

/// Empties the pending block into the compactors. A full block is thinned by as much as the sketch has
/// outgrown 20 k values: the level it then enters has little room, so thinning costs next to no accuracy.
template <class T>
void Kll<T>::flush() {
  if (pending_.empty()) return;
  const double weight = std::ldexp(1.0, static_cast<int>(log_weight_));
  if (log_weight_ > 0) variance_ += static_cast<double>(pending_.size()) * weight * weight / 4;
  if (pending_.size() == kBlock) {
    const auto outgrown = static_cast<unsigned>(std::bit_width(n_ / (20 * uint64_t{k_})));
    const unsigned thin = std::min(kMaxThin, outgrown > 0 ? outgrown - 1 : 0);
    const uint64_t coins = draw(seed_ ^ kThinStream, n_ ^ std::bit_cast<uint64_t>(pending_.front()));
    T scratch[kBlock];
    const auto survivors = sort_block(pending_.data(), scratch, thin, coins);
    variance_ += block_variance(thin) * weight * weight;
    push(survivors, log_weight_ + thin);
  } else {
    std::sort(pending_.begin(), pending_.end());
    push(pending_, log_weight_);
  }
  pending_.clear();
  compress();
}

template <class T>
void Kll<T>::push(std::span<const T> sorted, size_t level) {
  if (levels_.size() <= level) levels_.resize(level + 1);
  merge_into(levels_[level].values, sorted);
}

/// Halves the lowest crowded level until all levels together fit. Some level is over its share whenever their
/// sum is, and each round drops at least four values, so this ends.
template <class T>
void Kll<T>::compress() {
  for (;;) {
    size_t room = 0, used = 0, crowded = 0;
    for_each_capacity([&](size_t level, size_t capacity) {
      const size_t size = levels_[level].values.size();
      room += capacity;
      used += size;
      if (size >= capacity) crowded = level;
    });
    if (used <= room) return;
    compact(crowded);
  }
}

/// Keeps every other value of a level, for twice the weight each. The coin says whether the first of each
/// pair or the second; an odd value out, the smallest, stays.
template <class T>
void Kll<T>::compact(size_t level) {
  if (level + 1 == levels_.size()) levels_.emplace_back();
  auto& values = levels_[level].values;
  uint8_t coin;
  if (levels_[level].owed != 0) {
    coin = static_cast<uint8_t>(levels_[level].owed - 1);
    levels_[level].owed = 0;
  } else {
    coin = draw(seed_ + level, n_ ^ std::bit_cast<uint64_t>(values[values.size() / 2])) & 1;
    levels_[level].owed = static_cast<uint8_t>(2 - coin);  // 1 + the opposite
    variance_ += std::ldexp(1.0, 2 * static_cast<int>(level));
  }
  const size_t odd = values.size() % 2;
  const size_t half = values.size() / 2;
  for (size_t i = 0; i < half; ++i) values[odd + i] = values[odd + 2 * i + coin];
  push({values.data() + odd, half}, level + 1);
  values.resize(odd);
}

/// What the choices of waiting samples and of the stand-in of an unfinished stratum add to the variance.
template <class T>
double Kll<T>::waiting_variance() const {
  const double weight = std::ldexp(1.0, static_cast<int>(log_weight_));
  const auto filled = static_cast<double>(filled_);
  const double sampled = log_weight_ > 0 ? static_cast<double>(pending_.size()) * weight * weight / 4 : 0;
  return sampled + filled * filled;
}

/// Enters what waits in `from` into the levels of this sketch: the pending samples, and of an unfinished
/// stratum copies of its value, one for every binary digit of the number of values it stands for.
template <class T>
void Kll<T>::push_waiting(const Kll& from) {
  auto sorted = from.pending_;
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) push(sorted, from.log_weight_);
  for (size_t level = 0; from.filled_ >> level; ++level) {
    if (from.filled_ >> level & 1) push({&from.held_, 1}, level);
  }
}

template <class T>
void Kll<T>::merge(const Kll& other) {
  if (k_ != other.k_ || seed_ != other.seed_) {
    throw MergeError("KLL: cannot merge k " + std::to_string(other.k_) + ", seed " +
                     std::to_string(other.seed_) + " into k " + std::to_string(k_) + ", seed " +
                     std::to_string(seed_) + "; build both with the same parameters");
  }
  if (other.n_ == 0) return;
  if (n_ == 0) {
    *this = other;
    return;
  }
  if (n_ + other.n_ > kMaxCount) throw MergeError("KLL: more than 2^62 values together");

  // Everything enters the levels before anything is compressed, so nothing depends on which side is which.
  const uint64_t n = n_ + other.n_;
  Kll result = *this;
  result.pending_.clear();
  result.filled_ = 0;
  result.held_ = T{};
  result.push_waiting(*this);
  result.push_waiting(other);
  for (size_t level = 0; level < other.levels_.size(); ++level) {
    result.push(other.levels_[level].values, level);
    const uint8_t theirs = other.levels_[level].owed;
    uint8_t& ours = result.levels_[level].owed;
    if (ours == 0 || theirs == 0) {
      ours = std::max(ours, theirs);
    } else if (ours != theirs) {
      ours = 0;  // the two owe opposite coins, which settles both
    }
  }
  result.n_ = n;
  result.variance_ = (variance_ + other.variance_) + (waiting_variance() + other.waiting_variance());
  result.log_weight_ = result.log_weight_at(n);
  result.compress();
  *this = std::move(result);
}

template <class T>
size_t Kll<T>::size() const {
  size_t total = pending_.size() + (filled_ > 0);
  for (const Level& level : levels_) total += level.values.size();
  return total;
}

template <class T>
auto Kll<T>::held() const -> std::vector<Weighted> {
  std::vector<Weighted> all;
  all.reserve(size());
  for (size_t level = 0; level < levels_.size(); ++level) {
    for (const T value : levels_[level].values) all.push_back({value, uint64_t{1} << level});
  }
  for (const T value : pending_) all.push_back({value, uint64_t{1} << log_weight_});
  if (filled_ > 0) all.push_back({held_, filled_});
  return all;
}

template <class T>
double Kll<T>::rank(T x) const {
  if (n_ == 0) return 0;
  uint64_t below = 0;
  for (const Weighted& item : held()) below += item.value <= x ? item.weight : 0;
  return static_cast<double>(below) / static_cast<double>(n_);
}

template <class T>
std::vector<T> Kll<T>::quantiles(std::span<const double> q) const {
  if (n_ == 0) throw SchemaError("KLL: no quantile of an empty sketch; update it first");
  auto all = held();
  std::sort(all.begin(), all.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  std::vector<double> rank_at(all.size());
  uint64_t below = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    below += all[i].weight;
    rank_at[i] = static_cast<double>(below) / static_cast<double>(n_);
  }
  std::vector<T> out;
  out.reserve(q.size());
  for (const double share : q) {
    if (!(share >= 0 && share <= 1)) {
      throw SchemaError("KLL: quantile " + std::to_string(share) + " is outside [0, 1]");
    }
    const auto at = std::lower_bound(rank_at.begin(), rank_at.end(), share) - rank_at.begin();
    out.push_back(all[std::min(static_cast<size_t>(at), all.size() - 1)].value);
  }
  return out;
}

template <class T>
double Kll<T>::rank_error() const {
  if (n_ == 0) return 0;
  // P(|sum| > t) <= 2 exp(-t^2 / 2V)
  const double t = std::sqrt(2 * std::log(2 / 0.01) * (variance_ + waiting_variance()));
  return std::min(1.0, t / static_cast<double>(n_));
}

template <class T>
void Kll<T>::encode(ByteWriter& out) const {
  out.put(k_);
  out.put(seed_);
  out.put_varint(n_);
  if (n_ == 0) return;
  out.put(variance_);
  out.put(static_cast<uint8_t>(log_weight_));
  out.put_varint(filled_);
  if (filled_ > 0) out.put(held_);
  out.put_varint(pending_.size());
  out.put_array<T>(pending_);
  out.put_varint(levels_.size());
  for (const Level& level : levels_) {
    out.put(level.owed);
    out.put_varint(level.values.size());
    out.put_array<T>(level.values);
  }
}

template <class T>
Kll<T> Kll<T>::decode(ByteReader& in) {
  const auto refuse_if = [](bool wrong, const char* what) {
    if (wrong) throw DecodeError(std::string("KLL: ") + what);
  };
  const auto k = in.get<uint32_t>("KLL k");
  const auto seed = in.get<uint64_t>("KLL seed");
  refuse_if(k < kMinK || k > kMaxK, "k is out of range");
  Kll sketch(k, seed);
  const uint64_t n = in.get_varint("KLL n");
  refuse_if(n > kMaxCount, "n is beyond 2^62");
  if (n == 0) return sketch;
  sketch.n_ = n;
  sketch.variance_ = in.get<double>("KLL variance");
  // Infinity is let in: the sum of two forged variances must be readable too.
  refuse_if(!(sketch.variance_ >= 0) || std::signbit(sketch.variance_), "the variance is not a number >= 0");
  sketch.log_weight_ = in.get<uint8_t>("KLL weight");
  refuse_if(sketch.log_weight_ > sketch.log_weight_at(n), "the weight of samples is too large for n");
  sketch.filled_ = in.get_varint("KLL stratum");
  refuse_if(sketch.filled_ >> sketch.log_weight_, "the stratum holds more than its weight");
  if (sketch.filled_ > 0) sketch.held_ = in.get<T>("KLL stratum value");
  refuse_if(!is_canonical(sketch.held_), "a value is not finite or is -0.0");

  const auto read_values = [&](std::vector<T>& values, const char* what) {
    values.resize(in.get_count(sizeof(T), what));
    in.get_array<T>(values, what);
    refuse_if(!std::all_of(values.begin(), values.end(), is_canonical<T>),
              "a value is not finite or is -0.0");
  };
  read_values(sketch.pending_, "KLL pending values");
  refuse_if(sketch.pending_.size() >= kBlock, "the pending block is full");
  const size_t n_levels = in.get_count(2, "KLL levels");
  refuse_if(n_levels > kMaxLevels - 2, "too many levels");
  sketch.levels_.resize(n_levels);
  uint64_t missing = n - sketch.filled_;  // weight not yet seen; filled <= n, as the weight fits n
  const auto account = [&](size_t items, size_t log_weight) {
    refuse_if(items > missing >> log_weight, "the weights add up to more than n");
    missing -= uint64_t{items} << log_weight;
  };
  account(sketch.pending_.size(), sketch.log_weight_);
  size_t room = 0, used = 0;
  for (size_t level = 0; level < n_levels; ++level) {
    auto& [values, owed] = sketch.levels_[level];
    owed = in.get<uint8_t>("KLL coin");
    refuse_if(owed > 2, "a coin is neither 0 nor 1");
    read_values(values, "KLL level");
    refuse_if(!std::is_sorted(values.begin(), values.end()), "a level is not in order");
    account(values.size(), level);
    used += values.size();
  }
  sketch.for_each_capacity([&](size_t, size_t capacity) { room += capacity; });
  refuse_if(n_levels > 0 && sketch.levels_.back().values.empty(), "the highest level is empty");
  refuse_if(used > room, "the levels hold more than their capacity");
  refuse_if(missing != 0, "the weights add up to less than n");
  return sketch;
}

template class Kll<double>;
template class Kll<int64_t>;

}  // namespace tidegauge::sketch
