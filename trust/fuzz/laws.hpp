#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "../../tests/contract/laws.hpp"
#include "target.hpp"
#include "tidegauge/base/hash.hpp"

// What is promised of a state that was read from hostile bytes, through an adaptor of tests/contract.
namespace tidegauge::fuzz {

/// A choice that follows from the bytes, so that laws that cost much take turns.
inline uint64_t turn(std::span<const std::byte> bytes) { return hash_bytes(bytes.data(), bytes.size(), 7); }

/// A state writes bytes that are read again, as the same state.
template <class A>
void require_readable(const typename A::State& state, const char* when) {
  const Bytes bytes = contract::to_bytes<A>(state);
  try {
    require(contract::to_bytes<A>(contract::from_bytes<A>(bytes)) == bytes,
            std::string(when) + ": saved and loaded it has other bytes");
  } catch (const DecodeError& error) {
    throw Broken(std::string(when) + ": it writes bytes that it refuses: " + error.what());
  }
}

/// Merges; a refusal leaves what was there.
template <class A>
void merge_or_keep(typename A::State& to, const typename A::State& from, const char* when) {
  const Bytes before = contract::to_bytes<A>(to);
  try {
    A::merge(to, from);
  } catch (const MergeError&) {
    require(contract::to_bytes<A>(to) == before, std::string(when) + ": a refused merge changes it");
    return;
  }
  A::query(to);
  require_readable<A>(to, when);
}

/// `A::count(state)` says how many values it stands for; 2^62 is what the engine lets any state have.
template <class A>
bool survive(std::span<const std::byte> bytes) {
  std::optional<typename A::State> read;
  try {
    read = contract::from_bytes<A>(bytes);
  } catch (const DecodeError&) {
    return false;
  }
  typename A::State& state = *read;
  const Bytes again = contract::to_bytes<A>(state);
  require(std::ranges::equal(again, bytes), "accepted as a state that has other bytes");
  A::query(state);
  static const auto more = A::stream(8, 40);
  static const auto peer = contract::one_pass<A>(std::span(more));
  constexpr uint64_t kMost = uint64_t{1} << 62;
  const uint64_t n = A::count(state);
  switch (turn(bytes) % 3) {
    case 0:
      if (2 * n <= kMost) {
        auto twice = state;
        merge_or_keep<A>(twice, state, "merged into itself");
      }
      break;
    case 1:
      if (n + more.size() <= kMost) {
        auto merged = peer;
        merge_or_keep<A>(merged, state, "merged into a good one");
      }
      break;
    default:
      if (n + more.size() <= kMost && A::takes_rows(state)) {
        A::update(state, std::span(more));
        A::query(state);
        require_readable<A>(state, "given rows");
      }
  }
  return true;
}

/// Small states of every length at which something changes.
template <class A>
std::vector<Bytes> seeds() {
  constexpr size_t kLargest = 6'000;
  std::vector<Bytes> found;
  for (const size_t n : A::sizes()) {
    if (n > 20'000) continue;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      const auto values = A::stream(seed, n);
      Bytes bytes = contract::to_bytes<A>(contract::one_pass<A>(std::span(values)));
      if (bytes.size() <= kLargest && std::ranges::find(found, bytes) == found.end()) {
        found.push_back(std::move(bytes));
      }
    }
  }
  return found;
}

}  // namespace tidegauge::fuzz
