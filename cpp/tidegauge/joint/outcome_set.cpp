#include "tidegauge/joint/outcome_set.hpp"

#include <algorithm>

namespace tidegauge::joint {
namespace {

using State = OutcomeSet::State;

uint64_t id_of(const State& state) {
  return std::visit([](const auto& held) { return held.spec()->id; }, state);
}

size_t bytes_of(const Binary& state) {
  const size_t weights = state.spec()->weighted() ? sizeof(Binary::Weights) : 0;
  return (kCounted * state.spec()->n_cells() + kHomes) * (64 + weights);  // a slot and settled sums
}
size_t bytes_of(const Confusion& state) { return state.counts().size() * sizeof(uint64_t); }
size_t bytes_of(const Regression& state) { return state.cells().size() * sizeof(uint64_t); }
size_t bytes_of(const Multiclass& state) {
  size_t n = 0;
  for (size_t c = 0; c < state.spec()->classes.size(); ++c) n += state.counts(c).size() * sizeof(uint64_t);
  return n;
}
size_t bytes_of(const Ranking&) { return 0; }  // all of it lies in the state

template <class T>
State decode_state(ByteReader& in) {
  return T::decode(in, T::Spec::decode(in));
}

}  // namespace

OutcomeSet::OutcomeSet(const std::vector<OutcomeSpec>& specs) {
  for (const OutcomeSpec& spec : specs) {
    std::visit(
        [&]<class Spec>(const std::shared_ptr<const Spec>& held) {
          if constexpr (std::is_same_v<Spec, BinarySpec>) states_.emplace_back(Binary(held));
          if constexpr (std::is_same_v<Spec, ConfusionSpec>) states_.emplace_back(Confusion(held));
          if constexpr (std::is_same_v<Spec, RegressionSpec>) states_.emplace_back(Regression(held));
          if constexpr (std::is_same_v<Spec, MulticlassSpec>) states_.emplace_back(Multiclass(held));
          if constexpr (std::is_same_v<Spec, RankingSpec>) states_.emplace_back(Ranking(held));
        },
        spec);
  }
  require_different();
}

void OutcomeSet::add(State state) {
  states_.push_back(std::move(state));
  require_different();
}

void OutcomeSet::require_different() {
  std::ranges::sort(states_, {}, id_of);
  if (std::ranges::adjacent_find(states_, {}, id_of) != states_.end()) {
    throw SchemaError("outcomes: the same columns, edges and classes are counted twice; leave one out");
  }
}

std::vector<OutcomeSpec> OutcomeSet::specs() const {
  std::vector<OutcomeSpec> found;
  for (const State& state : states_) {
    found.push_back(std::visit([](const auto& held) { return OutcomeSpec(held.spec()); }, state));
  }
  return found;
}

std::vector<std::string> OutcomeSet::columns() const {
  std::vector<std::string> found;
  for (const State& state : states_) {
    for (auto& name : std::visit([](const auto& held) { return columns_of(*held.spec()); }, state)) {
      if (std::ranges::find(found, name) == found.end()) found.push_back(std::move(name));
    }
  }
  return found;
}

size_t OutcomeSet::memory_bytes() const {
  size_t n = 0;
  for (const State& state : states_) {
    n += sizeof(State) + std::visit([](const auto& held) { return bytes_of(held); }, state);
  }
  return n;
}

uint64_t OutcomeSet::most_rows() const {
  uint64_t most = 0;
  for (const State& state : states_) {
    most = std::max(most, std::visit([](const auto& held) { return held.n_rows(); }, state));
  }
  return most;
}

void OutcomeSet::prepare() const {
  for (const State& state : states_) {
    std::visit(
        []<class T>(const T& held) {
          if constexpr (std::is_same_v<T, Multiclass>) {
            for (const auto& edges : held.spec()->edges) edges->grid();
          } else if constexpr (!std::is_same_v<T, Confusion> && !std::is_same_v<T, Ranking>) {
            held.spec()->edges->grid();
          }
        },
        state);
  }
}

void OutcomeSet::update(const Rows& rows) {
  for (State& state : states_) std::visit([&](auto& held) { add_rows(held, rows); }, state);
}

void OutcomeSet::check_mergeable(const OutcomeSet& other) const {
  if (empty() || other.empty() || std::ranges::equal(states_, other.states_, {}, id_of, id_of)) return;
  throw MergeError(
      "outcomes: the two sides count by other columns, edges or classes; count both with the same reference");
}

void OutcomeSet::merge(const OutcomeSet& other) {
  if (empty()) {
    states_ = other.states_;
    return;
  }
  for (size_t i = 0; i < other.states_.size(); ++i) {
    std::visit([&]<class T>(T& ours) { ours.merge(std::get<T>(other.states_[i])); }, states_[i]);
  }
}

OutcomeSet OutcomeSet::without_labels() const {
  OutcomeSet left;
  for (const State& state : states_) {
    left.states_.push_back(std::visit([](const auto& held) { return State(held.without_labels()); }, state));
  }
  return left;
}

void OutcomeSet::label(const OutcomeSet& given, const OutcomeSet& withdrawn) {
  given.check_mergeable(withdrawn);
  OutcomeSet before = given.without_labels(), after = given;
  before.merge(withdrawn);
  after.merge(withdrawn.without_labels());
  if (empty() && !before.empty()) throw MergeError("outcomes: there are none that the labels could be of");
  check_mergeable(before);
  if (before.empty()) return;
  std::vector<State> changed = states_;
  for (size_t i = 0; i < changed.size(); ++i) {
    std::visit(
        [&]<class T>(T& ours) {
          ours.merge(std::get<T>(after.states_[i]));  // first: what is taken away may be among it
          ours.subtract(std::get<T>(before.states_[i]));
        },
        changed[i]);
  }
  states_ = std::move(changed);
}

void OutcomeSet::encode(ByteWriter& out) const {
  out.put_varint(states_.size());
  ByteWriter section;
  for (const State& state : states_) {
    section.clear();
    std::visit([&](const auto& held) { held.spec()->encode(section), held.encode(section); }, state);
    out.put(static_cast<uint8_t>(state.index()));
    out.put_varint(section.size());
    out.put_bytes(section.bytes());
  }
}

OutcomeSet OutcomeSet::decode(ByteReader& in) {
  OutcomeSet set;
  for (uint64_t left = in.get_varint("outcomes"); left > 0; --left) {
    const auto kind = in.get<uint8_t>("outcomes");
    ByteReader section(in.get_bytes(in.get_count(1, "outcomes"), "outcomes"));
    switch (kind) {
      case 0:
        set.states_.push_back(decode_state<Binary>(section));
        break;
      case 1:
        set.states_.push_back(decode_state<Confusion>(section));
        break;
      case 2:
        set.states_.push_back(decode_state<Regression>(section));
        break;
      case 3:
        set.states_.push_back(decode_state<Multiclass>(section));
        break;
      case 4:
        set.states_.push_back(decode_state<Ranking>(section));
        break;
      default:
        throw DecodeError("outcomes: of a kind that this version does not know");
    }
    section.expect_end("outcomes");
    const size_t n = set.states_.size();
    if (n > 1 && id_of(set.states_[n - 2]) >= id_of(set.states_[n - 1])) {
      throw DecodeError("outcomes: not in the order of their ids");
    }
  }
  in.expect_end("outcomes");
  if (set.empty()) throw DecodeError("outcomes: an empty section");
  return set;
}

}  // namespace tidegauge::joint
