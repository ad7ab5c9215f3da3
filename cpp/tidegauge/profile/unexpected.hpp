#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace tidegauge {

/// Columns that batches had and the profile does not know, with the rows of those batches.
using Unexpected = std::unordered_map<std::string, uint64_t>;

/// Counts rows under a name; under the empty name once there are a thousand others.
inline void add_unexpected(Unexpected& unexpected, const std::string& name, uint64_t n_rows) {
  constexpr size_t kMaxNames = 1000;
  const bool full = unexpected.size() >= kMaxNames && !unexpected.contains(name);
  unexpected[full ? std::string() : name] += n_rows;
}

}  // namespace tidegauge
