// The decoders of accumulators, each by itself: no section and no checksum stands before them.

#include "sketches.hpp"

#include "../../tests/contract/leaf_adaptor.hpp"
#include "../../tests/contract/outcome_adaptors.hpp"
#include "../../tests/contract/sketch_adaptors.hpp"
#include "laws.hpp"
#include "tidegauge/joint/joint.hpp"
#include "tidegauge/joint/outcomes.hpp"
#include "tidegauge/sketch/moments.hpp"

namespace tidegauge::fuzz {
namespace {

/// An adaptor of tests/contract, and how many values a state stands for.
template <class A>
struct Counted : A {
  static uint64_t count(const typename A::State& state) {
    if constexpr (requires { state.n_rows(); }) {
      return state.n_rows();
    } else if constexpr (requires { state.n(); }) {
      return state.n();
    } else {
      return 0;
    }
  }
  static bool takes_rows(const typename A::State&) { return true; }
};

template <class T, uint32_t k>
struct KllTarget : Counted<contract::KllAdaptor<T, k>> {
  using State = sketch::Kll<T>;
  static void query(const State& state) {
    contract::KllAdaptor<T, k>::query(state);
    state.is_exact(), state.size(), state.memory_bytes();
    if (state.n() == 0) return;
    const double q[] = {1.0, 0.0, 0.999, 0.5};
    for (const T value : state.quantiles(q)) state.rank(value);
  }
};

struct DistinctTarget : Counted<contract::DistinctAdaptor> {
  static std::vector<size_t> sizes() { return {0, 1, 3, 40, 512, 700}; }
};

/// Joint sums stay within 2^38 rows, which is their caller's to see to.
template <bool with_squares>
struct SumsTarget : Counted<contract::JointAdaptor<with_squares>> {
  static uint64_t count(const joint::Sums& sums) { return sums.n() << 24; }
};

template <class T>
struct MomentsTarget : contract::Members<sketch::Moments<T>> {
  using Value = T;
  using State = sketch::Moments<T>;
  static State make() { return {}; }
  static State decode(ByteReader& in) { return State::decode(in); }
  static std::vector<size_t> sizes() { return {0, 1, 2, 50, 4'095, 4'096, 4'100, 9'000}; }
  static std::vector<T> stream(uint64_t seed, size_t n) {
    std::vector<T> values;
    const char* shape = contract::kShapes[(7 * seed + n) % std::size(contract::kShapes)];
    for (const double x : contract::shaped(shape, seed, n)) {
      if constexpr (std::is_same_v<T, double>) {
        values.push_back(x * (seed == 3 ? 1e150 : 1));
      } else {
        values.push_back(static_cast<T>(std::clamp(x, -1e6, 1e6) * 1e12));
      }
    }
    return values;
  }
  static void update(State& state, std::span<const T> values) {
    while (!values.empty()) {
      const size_t n = std::min(values.size(), state.room());
      kernels::TileFacts<T> facts;
      state.update(values.data(), n, facts);
      values = values.subspan(n);
    }
  }
  static void query(const State& state) {
    const sketch::CentralMoments central = state.central();
    require(!(central.m2 < 0) && !(central.m4 < 0), "a sum of even powers is negative");
    require(state.min() <= state.max(), "the minimum is above the maximum");
    state.sum();
  }
  static uint64_t count(const State& state) { return state.n(); }
  static bool takes_rows(const State&) { return true; }
};

/// Sums with the id of what they are of, and those of 32 parts.
template <bool with_parts>
struct JointTarget : contract::Members<joint::Joint> {
  using Rows = contract::JointAdaptor<true>;
  using Value = Rows::Value;
  static State make() {
    return State(std::shared_ptr<const joint::Spec>(&Rows::spec(), [](auto*) {}), with_parts);
  }
  static State decode(ByteReader& in) { return State::decode(in); }
  static std::vector<size_t> sizes() { return {0, 1, 30}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) { return Rows::stream(seed, n); }
  static void update(State& state, std::span<const Value> rows) {
    joint::Scores scores;
    scores.reset(Rows::d, rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = 0; j < Rows::d; ++j) scores.column(j)[i] = rows[i][j];
    }
    state.update(scores, state.total().n(), 1, [](size_t n, const auto& job) {
      for (size_t i = 0; i < n; ++i) job(i);
    });
  }
  static void merge(State& a, const State& b) {
    a.check_mergeable(b);
    a.merge(b);
  }
  static void query(const State& state) { state.total(), state.parts(); }
  static uint64_t count(const State& state) { return state.total().n() << 24; }
  static bool takes_rows(const State& state) { return state.spec() != nullptr; }
};

/// Counts with what they are counted by in front, as they are saved.
template <class A>
struct Saved : Counted<A> {
  using State = typename A::State;
  using Outcomes = joint::Outcomes<State>;
  static void encode(const State& state, ByteWriter& out) { Outcomes(state).encode(out); }
  static State decode(ByteReader& in) { return Outcomes::decode(in); }
  static void merge(State& a, const State& b) {
    Outcomes merged(a);
    merged.merge(Outcomes(b));
    a = merged.state();
    Outcomes left(a);  // and taken away again
    try {
      left.subtract(Outcomes(b));
    } catch (const MergeError& error) {
      throw Broken(std::string("what was merged cannot be taken away: ") + error.what());
    }
    require_readable<Saved>(left.state(), "after a subtraction");
  }
  static bool takes_rows(const State& state) { return state.spec()->id == A::spec()->id; }
  static void query(const State& state) {
    A::query(state);
    if constexpr (std::is_same_v<State, joint::Binary>) {
      for (size_t slot = 0; slot < joint::kCounted * state.spec()->n_cells(); ++slot) state.sums(slot);
    }
  }
};

template <class A>
constexpr Target target(const char* name, unsigned share = 1) {
  return {name, share, false, seeds<A>, nullptr, survive<A>};
}

using contract::BinaryAdaptor;
using contract::FrequentAdaptor;
constexpr Target kTargets[] = {
    target<KllTarget<double, 16>>("kll"),
    target<KllTarget<int64_t, 16>>("kll_i64"),
    target<DistinctTarget>("distinct"),
    target<Counted<FrequentAdaptor<true, 16, 400>>>("frequent"),
    target<Counted<FrequentAdaptor<false, 16, 12>>>("frequent_hashed"),
    target<MomentsTarget<double>>("moments"),
    target<MomentsTarget<int64_t>>("moments_i64"),
    target<Counted<contract::ExponentialAdaptor>>("exponential"),
    target<Counted<contract::ScatterAdaptor>>("scatter"),
    target<SumsTarget<true>>("sums"),
    target<SumsTarget<false>>("sums_of_parts"),
    target<JointTarget<false>>("joint"),
    target<JointTarget<true>>("joint_parts"),
    target<Saved<BinaryAdaptor<false, false>>>("binary"),
    target<Saved<BinaryAdaptor<false, true>>>("binary_weighted"),
    target<Saved<contract::ConfusionAdaptor>>("confusion"),
    target<Saved<contract::RegressionAdaptor>>("regression"),
    target<Saved<contract::MulticlassAdaptor>>("multiclass"),
    target<Saved<contract::LeafAdaptor<false>>>("leaves"),
    target<Saved<contract::RankingAdaptor>>("ranking"),
};

}  // namespace

std::span<const Target> sketch_targets() { return kTargets; }

}  // namespace tidegauge::fuzz
