#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

// What is given hostile bytes. A target knows nothing of where they come from: the driver's own mutations, a
// sweep over every bit, libFuzzer.
namespace tidegauge::fuzz {

using Bytes = std::vector<std::byte>;

/// A promise that was not kept. The message says which.
struct Broken : std::logic_error {
  using std::logic_error::logic_error;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Broken(what);
}

struct Target {
  const char* name;
  unsigned share;                              // of the executions, beside the others' shares
  bool is_container;                           // has sections and a checksum (mutate.hpp)
  std::vector<Bytes> (*seeds)();               // good inputs that this release makes
  void (*prepare)(const std::vector<Bytes>&);  // before the first run: all good inputs; or null
  bool (*run)(std::span<const std::byte>);     // whether it was accepted; throws Broken
};

std::span<const Target> targets();

}  // namespace tidegauge::fuzz
