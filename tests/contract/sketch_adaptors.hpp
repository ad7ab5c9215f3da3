#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "laws.hpp"
#include "streams.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/scores.hpp"
#include "tidegauge/joint/sums.hpp"
#include "tidegauge/sketch/distinct.hpp"
#include "tidegauge/sketch/exponential.hpp"
#include "tidegauge/sketch/frequent.hpp"
#include "tidegauge/sketch/kll.hpp"
#include "tidegauge/sketch/scatter.hpp"

namespace tidegauge::contract {

/// The largest |rank - true rank| over every value of `sorted` (or some 500 of them, if there are more).
template <class T>
double largest_rank_error(const sketch::Kll<T>& state, std::span<const T> sorted) {
  const size_t step = std::max<size_t>(1, sorted.size() / 500);
  double largest = 0;
  for (size_t i = 0; i < sorted.size(); i += step) {
    const auto below = std::upper_bound(sorted.begin(), sorted.end(), sorted[i]) - sorted.begin();
    const double truth = static_cast<double>(below) / static_cast<double>(sorted.size());
    largest = std::max(largest, std::fabs(state.rank(sorted[i]) - truth));
  }
  return largest;
}

/// k = 16 reaches the sampler within some thousand values.
template <class T, uint32_t k>
struct KllAdaptor : Members<sketch::Kll<T>> {
  using Value = T;
  using State = sketch::Kll<T>;
  static constexpr bool order_free = false;
  static State make() { return State(k); }
  static void update(State& state, std::span<const T> values) { state.update(values); }
  static State decode(ByteReader& in) { return State::decode(in); }
  static std::vector<size_t> sizes() {
    if (k < 100) return {50, 5'000, 0, 1, 255, 256, 257, 2'049, 60'000};
    return {20, 300, 0, 1, 255, 256, 257, 9'000, 159'999, 700'001};
  }
  static std::vector<T> stream(uint64_t seed, size_t n) {
    const auto values = shaped(kShapes[(7 * seed + n) % std::size(kShapes)], seed, n);
    if constexpr (std::is_same_v<T, double>) {
      return values;
    } else {
      std::vector<T> integers(n);
      std::transform(values.begin(), values.end(), integers.begin(),
                     [](double x) { return static_cast<T>(std::clamp(x, -1e6, 1e6) * 1e9); });
      return integers;
    }
  }
  static void check(const State& state, std::span<const T> values) {
    require(state.n() == values.size(), "n is wrong");
    if (values.empty()) return;
    std::vector<T> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const double error = largest_rank_error<T>(state, sorted);
    require(error <= state.rank_error() + 1e-12,
            "rank error " + std::to_string(error) + ", bound " + std::to_string(state.rank_error()));
    require(!state.is_exact() || error == 0, "it says exact and is not");
    require(values.size() >= k || state.is_exact(), "fewer than k values are not held exactly");
    for (const double q : {0.0, 0.01, 0.5, 0.9, 1.0}) {
      const T x = state.quantile(q);
      require(state.rank(x) >= q, "the rank of a quantile is below its q");
      require(std::binary_search(sorted.begin(), sorted.end(), x), "a quantile is no value of the stream");
    }
  }
  static void query(const State& state) {
    state.rank(T{});
    state.rank_error();
    if (state.n() > 0) state.quantile(0.5);
  }
};

struct DistinctAdaptor : Members<sketch::Distinct> {
  using Value = uint64_t;
  static constexpr bool order_free = true;
  static State make() { return {}; }
  static void update(State& state, std::span<const uint64_t> values) { state.update(values); }
  static State decode(ByteReader& in) { return State::decode(in); }
  static std::vector<size_t> sizes() { return {100, 3'000, 0, 1, 511, 512, 513, 700, 300'000}; }
  static std::vector<uint64_t> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> hashes(n);
    // Seed 1: all different; else with repeats. The hashes 0 and 1 are the ones the table treats apart.
    for (size_t i = 0; i < n; ++i) hashes[i] = hash_bits(seed == 1 ? i : random() % (n / seed + 1), seed);
    for (size_t i = 0; i < std::min<size_t>(n / 2, 3); ++i) hashes[i] = i;
    return hashes;
  }
  static void check(const State& state, std::span<const uint64_t> values) {
    std::vector<uint64_t> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const auto truth = static_cast<double>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
    require(state.is_exact() == (truth <= State::kMaxExact), "exact for the wrong sizes");
    const double allowed = state.is_exact() ? 0 : 5 * State::kRelativeError * truth;
    require(std::fabs(state.estimate() - truth) <= allowed,
            "estimate " + std::to_string(state.estimate()) + " of " + std::to_string(truth));
    // What limit and slots let a kernel drop must indeed change nothing.
    for (const uint64_t hash : values) {
      const bool kept =
          (hash << State::kPrecision) < state.limit() && state.slots()[hash & state.mask()] != hash;
      if (kept) continue;
      auto fed = state;
      fed.update({&hash, 1});
      require(fed == state, "a hash that may be dropped changes the state");
      if (values.size() > 1'000) break;
    }
    if (state.is_exact()) return;
    for (uint64_t i = 0; i < 2'000; ++i) {
      const uint64_t hash = mix64(i + 1) | (i % 2 ? 0 : uint64_t{1} << 51);
      const bool dropped =
          (hash << State::kPrecision) >= state.limit() || state.slots()[hash & state.mask()] == hash;
      if (!dropped) continue;
      auto fed = state;
      fed.update({&hash, 1});
      require(fed == state, "a new hash that may be dropped changes the state");
      if (i > 100) break;
    }
  }
  static void query(const State& state) { state.estimate(); }
};

/// Values are numbers that stand for names; small capacity so that it overflows.
template <bool keep_values, size_t capacity, size_t n_names>
struct FrequentAdaptor : Members<sketch::Frequent> {
  using Value = uint64_t;
  // Which names are known after a merge depends on where the rows were; the counts, while exact, do not.
  static constexpr bool order_free = !keep_values && n_names <= capacity;
  static State make() { return State(keep_values, capacity); }
  static State decode(ByteReader& in) { return State::decode(in, keep_values); }
  static std::vector<size_t> sizes() { return {30, 1'000, 0, 1, 100, 60'000}; }
  static std::string name(uint64_t value) {
    if (value % 16 < 14) return "value " + std::to_string(value);
    std::string text = value % 2 ? "" : "x";
    while (text.size() < 300) text += "\xe2\x82\xac";  // the euro sign: 256 is no multiple of 3
    return text + std::to_string(value);
  }
  static uint64_t hash(uint64_t value) { return hash_text(name(value), kDefaultSeed); }
  static std::vector<uint64_t> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> values(n);
    const double range = std::log(static_cast<double>(n_names));
    for (uint64_t& value : values) value = static_cast<uint64_t>(std::exp(range * uniform(random))) - 1;
    return values;
  }
  static void update(State& state, std::span<const uint64_t> values) {
    for (const uint64_t value : values) state.update(hash(value), 1, name(value));
  }
  static void check(const State& state, std::span<const uint64_t> values) {
    std::unordered_map<uint64_t, uint64_t> truth;
    std::unordered_map<uint64_t, std::string> names;
    for (const uint64_t value : values) {
      ++truth[hash(value)];
      names[hash(value)] = name(value);
    }
    require(state.n() == values.size() && state.size() <= capacity, "n or the size is wrong");
    require(state.error() <= 2 * state.n() / capacity, "the error is beyond 2 n / capacity");
    require(truth.size() > capacity || (state.is_exact() && state.size() == truth.size()),
            "it forgot too early");
    for (const auto& entry : state.top(capacity)) {
      const uint64_t count = truth[entry.hash];
      require(entry.count <= count && count <= entry.count + state.error(), "a count is out of its bounds");
      if (entry.named) {
        require(keep_values && count >= State::kNamedFrom, "a name is stored that must not be");
        require(names[entry.hash].starts_with(entry.name), "a name is wrong");
        require(entry.truncated == (entry.name.size() < names[entry.hash].size()), "a cut is not flagged");
        require(entry.name.size() <= State::kMaxNameBytes, "a name is too long");
      }
      truth.erase(entry.hash);
    }
    for (const auto& [hash, count] : truth) require(count <= state.error(), "a frequent value is missing");
  }
  static void query(const State& state) { state.top(10); }
};

struct ExponentialAdaptor : Members<sketch::Exponential> {
  using Value = double;
  static constexpr bool order_free = true;
  static State make() { return {}; }
  static void update(State& state, std::span<const double> values) { state.update(values); }
  static State decode(ByteReader& in) { return State::decode(in); }
  static std::vector<size_t> sizes() { return {20, 400, 0, 1, 30'000}; }
  static std::vector<double> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<double> values(n);
    // Seeds 1 to 4: ten octaves at most, then more and more, to all that a double can hold.
    const double spread = std::exp2(2.8 * static_cast<double>(seed));
    for (double& x : values) {
      x = std::exp2(std::clamp(spread * (uniform(random) - 0.5), -1073.0, 1023.0));
      if (random() % 3 == 0) x = -x;
      if (random() % 10 == 0) x = 0;
    }
    return values;
  }
  static void check(const State& state, std::span<const double> values) {
    require(state.n() == values.size(), "n is wrong");
    require(state.positive().total() + state.negative().total() + state.n_zero() == state.n(),
            "the homes do not add up");
    if (values.empty()) return;
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    for (const double q : {0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0}) {
      const double rank = std::ceil(q * static_cast<double>(sorted.size()));
      const double truth = sorted[rank > 0 ? static_cast<size_t>(rank) - 1 : 0];
      const double tolerance = state.quantile_error() * std::fabs(truth) * (1 + 1e-9) + 0x1p-1074;
      require(std::fabs(state.quantile(q) - truth) <= tolerance, "quantile " + std::to_string(q) + " is off");
    }
    for (const auto* store : {&state.positive(), &state.negative()}) {
      require(store->counts().size() <= State::kMaxBuckets, "too many buckets");
    }
  }
  static void query(const State& state) {
    state.quantile_error();
    if (state.n() > 0) state.quantile(0.3);
  }
};

/// Vectors of three; a seed in four has some whose sums leave the range of a double.
struct ScatterAdaptor : Members<sketch::Scatter> {
  static constexpr size_t width = 3;
  using Value = std::array<double, width>;
  static constexpr bool order_free = false;
  static State make() { return State(width); }
  static State decode(ByteReader& in) { return State::decode(in, width); }
  static std::vector<size_t> sizes() { return {20, 300, 0, 1, 255, 256, 257, 5'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (Value& row : rows) {
      for (double& x : row) x = gaussian(random) * (seed == 4 ? 1e153 : 1.0);
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    std::vector<double> padded(rows.size() * width + sketch::Scatter::kPadding);
    for (size_t i = 0; i < rows.size(); ++i) std::ranges::copy(rows[i], padded.data() + i * width);
    state.update(padded.data(), rows.size());
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n() == rows.size(), "n is wrong");
    const auto found = state.products();
    for (size_t i = 0, at = 0; !rows.empty() && i < width; ++i) {
      for (size_t j = i; j < width; ++j, ++at) {
        long double sum = 0, size = 0;
        for (const Value& row : rows) {
          const auto product = static_cast<long double>(row[i]) * static_cast<long double>(row[j]);
          sum += product, size += std::fabs(product);
        }
        if (size > 1.7e308L) continue;  // then perhaps +infinity
        require(std::fabs(static_cast<double>(found[at] - sum)) <= 1e-13 * static_cast<double>(size),
                "a product is wrong");
      }
    }
  }
  static void query(const State& state) { state.products(); }
};

/// Five columns and eight waves, with or without the squares of the products.
template <bool with_squares>
struct JointAdaptor : Members<joint::Sums> {
  static constexpr size_t d = 5, n_waves = 8;
  using Value = std::array<int8_t, d>;
  static constexpr bool order_free = true;
  static const joint::Spec& spec() {
    static const auto made = joint::Spec::make(
        {{"a", {0, 1}}, {"b", {0, 1}}, {"c", {0, 1}}, {"d", {0, 1}}, {"e", {0, 1}}}, n_waves, 7);
    return *made;
  }
  static State make() { return State(d, n_waves, with_squares); }
  static State decode(ByteReader& in) { return State::decode(in, d, n_waves, with_squares); }
  static std::vector<size_t> sizes() { return {30, 500, 0, 1, 63, 64, 65, 2'049, 9'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (Value& row : rows) {
      for (int8_t& z : row) {
        z = static_cast<int8_t>(static_cast<int>(random() % (2 * kernels::kMaxScore + 1)) -
                                kernels::kMaxScore);
      }
      if (seed % 2) row[1] = row[0], row[4] = kernels::kMaxScore;
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    joint::Scores scores;
    scores.reset(d, rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = 0; j < d; ++j) scores.column(j)[i] = rows[i][j];
    }
    State added(d, n_waves);
    added.update(scores.view(), spec().waves());
    state.merge(added);
  }
  static void check(const State& state, std::span<const Value> rows) {
    int64_t sums[d] = {}, products[15] = {}, squares[15] = {}, waves[2 * n_waves] = {};
    for (const Value& row : rows) {
      for (size_t i = 0, at = 0; i < d; ++i) {
        sums[i] += row[i];
        for (size_t j = i; j < d; ++j, ++at) {
          products[at] += row[i] * row[j];
          squares[at] += row[i] * row[j] * row[i] * row[j];
        }
      }
      for (size_t k = 0; k < n_waves; ++k) {
        int phase = 0;
        for (size_t j = 0; j < d; ++j) phase += row[j] * spec().weights()[k * 8 + j];
        waves[2 * k] += kernels::cosine(static_cast<int16_t>(phase * 8));
        waves[2 * k + 1] += kernels::cosine(static_cast<int16_t>(phase * 8 - 16384));
      }
    }
    require(state.n() == rows.size(), "n is wrong");
    require(std::ranges::equal(state.sums(), sums), "a sum is wrong");
    require(std::ranges::equal(state.products(), products), "a product is wrong");
    require(!with_squares || std::ranges::equal(state.squares(), squares), "a square is wrong");
    require(std::ranges::equal(state.waves(), waves), "a wave is wrong");
  }
  static void query(const State& state) { state.n_waves(); }
};

}  // namespace tidegauge::contract
