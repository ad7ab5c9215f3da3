#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace tidegauge {

/// Columns that batches had and the profile does not know, with the rows of those batches.
using Unexpected = std::unordered_map<std::string, uint64_t>;

inline constexpr size_t kMaxUnexpected = 1000;                     // names, and the empty one for all others
inline constexpr uint64_t kMaxUnexpectedRows = uint64_t{1} << 62;  // of all others: each row may have many

/// Counts rows under a name; under the empty name once there are a thousand others.
inline void add_unexpected(Unexpected& unexpected, const std::string& name, uint64_t n_rows) {
  const bool full = unexpected.size() >= kMaxUnexpected && !unexpected.contains(name);
  uint64_t& counted = unexpected[full ? std::string() : name];
  counted = std::min(counted + n_rows, kMaxUnexpectedRows);
}

}  // namespace tidegauge
