#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trust {

using Bytes = std::vector<std::byte>;

/// Something an operation is tried on: made from a seed, and again the same from the same seed.
struct Trial {
  virtual ~Trial() = default;
  /// The operation. It may allocate, and throws std::bad_alloc where it cannot.
  virtual void run() = 0;
  /// What a caller does who tries again.
  virtual void prepare_again() {}
  /// All of its state, and of what the operation returned if it came to an end. Nothing if it says that it
  /// was left in part: allowed only where the header of what it belongs to documents it.
  virtual std::optional<Bytes> state() = 0;
};

struct Operation {
  std::string name;
  std::function<std::unique_ptr<Trial>(uint64_t seed)> make;
};

/// Everything the engine does with rows, profiles and bytes.
const std::vector<Operation>& operations();

/// One that is wrong, so that a test can see it found: it changes something, and then asks for memory.
const std::vector<Operation>& planted();

}  // namespace trust
