#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory_limit.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/error.hpp"

// The laws that every accumulator keeps, written once. They speak to it through an adaptor A:
//
//   using State, Value;
//   static constexpr bool order_free;              any order and merge tree gives the bytes of one pass
//   static State make();                           empty
//   static std::vector<size_t> sizes();            stream lengths worth trying; the laws of bytes use the
//   first two static std::vector<Value> stream(uint64_t seed, size_t n); static void update(State&,
//   std::span<const Value>); static State decode(ByteReader&);              the others are Members<State>'s,
//   unless redefined static void check(const State&, std::span<const Value>);   answers against the truth;
//   throws Broken static void query(const State&);               calls every query; answers may be anything,
//   crashes may not
//
// A new accumulator is an adaptor and one line where the adaptors are listed.
namespace tidegauge::contract {

/// A law that does not hold, and the case it was found in.
struct Broken : std::logic_error {
  using std::logic_error::logic_error;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Broken(what);
}

/// The part of an adaptor that is the same for every class with the usual members.
template <class S>
struct Members {
  using State = S;
  static void merge(S& a, const S& b) { a.merge(b); }
  static void encode(const S& s, ByteWriter& out) { s.encode(out); }
  static bool equal(const S& a, const S& b) { return a == b; }
};

using Bytes = std::vector<std::byte>;

template <class A>
Bytes to_bytes(const typename A::State& state) {
  ByteWriter out;
  A::encode(state, out);
  return out.take();
}

template <class A>
typename A::State from_bytes(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  auto state = A::decode(in);
  in.expect_end("state");
  return state;
}

template <class A>
typename A::State one_pass(std::span<const typename A::Value> values) {
  auto state = A::make();
  A::update(state, values);
  return state;
}

/// Calls visit(n, values) for every stream length and a few seeds each.
template <class A, class Visit>
void for_each_stream(Visit visit) {
  for (const size_t n : A::sizes()) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      const auto values = A::stream(seed, n);
      visit("n = " + std::to_string(n) + ", seed " + std::to_string(seed), std::span(values));
    }
  }
}

template <class A>
void empty_is_identity() {
  for_each_stream<A>([](const std::string& where, auto values) {
    const auto state = one_pass<A>(values);
    auto left = A::make();
    A::merge(left, state);
    auto right = state;
    A::merge(right, A::make());
    require(to_bytes<A>(left) == to_bytes<A>(state), where + ": merging into an empty one changes the bytes");
    require(to_bytes<A>(right) == to_bytes<A>(state), where + ": merging an empty one changes the bytes");
  });
}

/// Law (a): no split of a stream shows, wherever the state is saved and loaded in between.
template <class A>
void splits_do_not_show() {
  for_each_stream<A>([](const std::string& where, auto values) {
    const auto expected = to_bytes<A>(one_pass<A>(values));
    std::mt19937_64 random(values.size());
    for (const size_t typical : {size_t{1}, size_t{100}, size_t{300}, size_t{70'000}}) {
      if (values.size() / typical > 20'000) continue;
      auto state = A::make();
      for (size_t at = 0; at < values.size();) {
        const size_t n = std::min<size_t>(values.size() - at, random() % (2 * typical + 1));
        A::update(state, values.subspan(at, n));
        at += n;
        if (random() % 16 == 0) state = from_bytes<A>(to_bytes<A>(state));
      }
      require(to_bytes<A>(state) == expected,
              where + ": split near every " + std::to_string(typical) + " it differs");
    }
  });
}

template <class A>
void answers_are_within_bounds() {
  for_each_stream<A>([](const std::string& where, auto values) {
    try {
      A::check(one_pass<A>(values), values);
    } catch (const Broken& broken) {
      throw Broken(where + ": " + broken.what());
    }
  });
}

/// Cuts a stream into unequal parts and merges them left to right and as a tree: either answers for the
/// whole.
template <class A>
void merging_equals_one_pass() {
  for_each_stream<A>([](const std::string& where, auto values) {
    std::vector<typename A::State> parts;
    std::mt19937_64 random(values.size() + 1);
    for (size_t at = 0; at < values.size();) {
      const size_t n = std::min<size_t>(values.size() - at, 1 + random() % (1 + values.size() / 4));
      parts.push_back(one_pass<A>(values.subspan(at, n)));
      at += n;
    }
    auto chain = A::make();
    for (const auto& part : parts) A::merge(chain, part);
    while (parts.size() > 1) {
      std::vector<typename A::State> joined;
      for (size_t i = 0; i + 1 < parts.size(); i += 2) {
        joined.push_back(parts[i + 1]);
        A::merge(joined.back(), parts[i]);
      }
      if (parts.size() % 2) joined.push_back(parts.back());
      parts = std::move(joined);
    }
    try {
      A::check(chain, values);
      if (!parts.empty()) A::check(parts.front(), values);
    } catch (const Broken& broken) {
      throw Broken(where + ", merged: " + broken.what());
    }
    if constexpr (A::order_free) {
      const auto expected = to_bytes<A>(one_pass<A>(values));
      require(to_bytes<A>(chain) == expected, where + ": merged in a chain the bytes differ");
      require(parts.empty() || to_bytes<A>(parts.front()) == expected,
              where + ": merged as a tree the bytes differ");
    }
  });
}

template <class A>
void order_does_not_show() {
  if constexpr (A::order_free) {
    for_each_stream<A>([](const std::string& where, auto values) {
      std::vector<typename A::Value> shuffled(values.begin(), values.end());
      std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937_64(3));
      require(to_bytes<A>(one_pass<A>(shuffled)) == to_bytes<A>(one_pass<A>(values)),
              where + ": the order shows");
    });
  }
}

/// Merging changes the left side alone, commutes to the byte, and the result lives on like any other state.
template <class A>
void merging_commutes_and_keeps_its_argument() {
  for_each_stream<A>([](const std::string& where, auto values) {
    const auto a = one_pass<A>(values.first(values.size() / 3));
    const auto b = one_pass<A>(values.subspan(values.size() / 3));
    const auto before = to_bytes<A>(b);
    auto ab = a, ba = b;
    A::merge(ab, b);
    A::merge(ba, a);
    require(to_bytes<A>(b) == before, where + ": merging modifies its argument");
    require(to_bytes<A>(ab) == to_bytes<A>(ba), where + ": a + b and b + a differ");
    auto loaded = from_bytes<A>(to_bytes<A>(ab));
    A::update(ab, values);
    A::update(loaded, values);
    require(to_bytes<A>(ab) == to_bytes<A>(loaded),
            where + ": saved and loaded after a merge it goes on differently");
    A::merge(ab, ab);
    A::query(ab);
  });
}

/// Equal state if and only if equal bytes.
template <class A>
void bytes_are_canonical() {
  for_each_stream<A>([](const std::string& where, auto values) {
    const auto state = one_pass<A>(values);
    const auto loaded = from_bytes<A>(to_bytes<A>(state));
    require(A::equal(state, loaded), where + ": what was loaded is not what was saved");
    require(to_bytes<A>(loaded) == to_bytes<A>(state),
            where + ": saved, loaded and saved again the bytes differ");
    require(values.empty() || !A::equal(state, A::make()), where + ": equal to an empty one");
    auto shorter = one_pass<A>(values.first(values.size() / 2));
    auto longer = state;
    A::update(longer, A::stream(9, 40));
    for (const auto& other : {shorter, longer}) {
      require(A::equal(state, other) == (to_bytes<A>(state) == to_bytes<A>(other)),
              where + ": equality of states is not equality of bytes");
    }
  });
}

/// Decodes hostile bytes. A refusal must be a DecodeError; what is accepted must be a state like any other:
/// it has those bytes, can be asked, fed and merged, and is worth no more memory than it was sent.
template <class A>
void decode_hostile(std::span<const std::byte> bytes, const typename A::State& peer,
                    std::span<const typename A::Value> more, const std::string& what) {
  try {
    auto state = from_bytes<A>(bytes);
    const auto again = to_bytes<A>(state);
    require(again.size() == bytes.size() && std::equal(again.begin(), again.end(), bytes.begin()),
            what + " is accepted as a state that has other bytes");
    A::query(state);
    try {
      auto merged = peer;
      A::merge(merged, state);
      A::query(merged);
    } catch (const MergeError&) {  // other parameters, or too large a count
    }
    A::update(state, more);
    A::query(state);
  } catch (const DecodeError&) {
  }
}

template <class A>
void hostile_bytes_are_refused() {
  const MemoryLimit limit(size_t{64} << 20);
  const auto sizes = A::sizes();
  for (size_t i = 0; i < 2; ++i) {
    const auto values = A::stream(7, sizes[i]);
    const auto state = one_pass<A>(values);
    const auto more = A::stream(8, 300);
    const auto good = to_bytes<A>(state);
    const auto where = "n = " + std::to_string(sizes[i]) + ": ";
    for (size_t size = 0; size < good.size(); ++size) {
      const Bytes cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
      decode_hostile<A>(cut, state, more, where + "cut to " + std::to_string(size) + " bytes it");
    }
    for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
      auto flipped = good;
      flipped[bit / 8] ^= std::byte{1} << (bit % 8);
      decode_hostile<A>(flipped, state, more, where + "with bit " + std::to_string(bit) + " flipped it");
    }
    std::mt19937_64 random(5);
    for (int round = 0; round < 5'000; ++round) {
      auto altered = good;
      for (uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
        altered[random() % altered.size()] = std::byte(random() % 3 ? random() : 0xff);
      }
      decode_hostile<A>(altered, state, more, where + "altered (" + std::to_string(round) + ") it");
    }
    auto longer = good;
    longer.push_back(std::byte{0});
    try {
      from_bytes<A>(longer);
      throw Broken(where + "a byte too many is accepted");
    } catch (const DecodeError&) {
    }
  }
}

using Laws = std::map<std::string, std::function<void()>>;

template <class A>
Laws laws() {
  Laws all = {
      {"empty is identity", empty_is_identity<A>},
      {"splits do not show", splits_do_not_show<A>},
      {"answers are within bounds", answers_are_within_bounds<A>},
      {"merging equals one pass", merging_equals_one_pass<A>},
      {"merging commutes and keeps its argument", merging_commutes_and_keeps_its_argument<A>},
      {"bytes are canonical", bytes_are_canonical<A>},
      {"hostile bytes are refused", hostile_bytes_are_refused<A>},
  };
  if constexpr (A::order_free) all["order does not show"] = order_does_not_show<A>;
  return all;
}

}  // namespace tidegauge::contract
