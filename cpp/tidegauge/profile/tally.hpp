#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tidegauge {

/// Counts of the texts of a batch, so that what a value costs beyond its hash is paid once a batch and not
/// once a row. Holds views of the texts: clear() before they go.
class Tally {
 public:
  static constexpr size_t kMaxEntries = 1024;

  struct Entry {
    uint64_t hash = 0;
    uint64_t count = 0;
    std::string_view text;
    uint32_t slot = 0;
  };

  Tally() : slots_(2 * kMaxEntries) { entries_.reserve(kMaxEntries); }

  /// Counts a text once. False, and nothing is counted, if it is new and there are `limit` others already.
  bool add(uint64_t hash, std::string_view text, size_t limit) {
    uint32_t at = static_cast<uint32_t>(hash) & kMask;
    while (slots_[at].entry != 0) {
      if (slots_[at].hash == hash) {
        ++entries_[slots_[at].entry - 1].count;
        return true;
      }
      at = (at + 1) & kMask;
    }
    if (entries_.size() >= limit) return false;
    entries_.push_back({hash, 1, text, at});
    slots_[at] = {hash, static_cast<uint32_t>(entries_.size())};
    return true;
  }

  std::span<const Entry> entries() const { return entries_; }

  void clear() {
    for (const Entry& entry : entries_) slots_[entry.slot].entry = 0;
    entries_.clear();
  }

 private:
  static constexpr uint32_t kMask = 2 * kMaxEntries - 1;
  struct Slot {
    uint64_t hash = 0;
    uint32_t entry = 0;  // 1 + its place; 0: empty
  };

  std::vector<Slot> slots_;  // linear probing, at most half full
  std::vector<Entry> entries_;
};

}  // namespace tidegauge
