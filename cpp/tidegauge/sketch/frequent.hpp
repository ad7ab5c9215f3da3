#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tidegauge/base/bytes.hpp"

namespace tidegauge::sketch {

/// The most frequent values of a stream, by 64-bit hash, with names fit to be shown.
///
/// Exact while no more than `capacity` different hashes were seen. One more, and the median count is taken
/// off every entry, what falls to zero is dropped, and the median joins the error bound (Misra and Gries,
/// with the purge of Anderson et al. 2017): an entry's true weight lies in [count, count + error()], that of
/// a value that is not held in [0, error()], and error() <= 2 n / capacity.
///
/// A name is stored when its entry's count has reached 5, from the row that brought it there; rarer values
/// are counted, never named. With keep_values = false nothing is named. While exact, counts do not depend on
/// the order of updates and merges. Entries whose counts pass 5 only by a merge wait for their name until
/// they are seen again.
class Frequent {
 public:
  static constexpr size_t kDefaultCapacity = 1024;
  static constexpr uint64_t kNamedFrom = 5;
  static constexpr size_t kMaxNameBytes = 256;  // longer names are cut between characters

  struct Entry {
    uint64_t hash = 0;
    uint64_t count = 0;
    bool named = false;      // otherwise `name` is empty and says nothing
    bool truncated = false;  // `name` is only the beginning
    std::string name;
    bool operator==(const Entry&) const = default;
  };

  /// Throws SchemaError if the capacity is below 16 or above 2^20.
  explicit Frequent(bool keep_values = true, size_t capacity = kDefaultCapacity);

  /// Counts a value `weight` times. `name` must be the text that was hashed.
  void update(uint64_t hash, uint64_t weight, std::string_view name);

  /// Throws MergeError if the capacities or keep_values differ, or if the counts overflow.
  void merge(const Frequent& other);

  uint64_t n() const { return n_; }
  uint64_t error() const { return error_; }
  bool is_exact() const { return error_ == 0; }
  size_t size() const { return entries_.size(); }
  size_t capacity() const { return capacity_; }
  bool keep_values() const { return keep_values_; }

  /// True if `n_new` more hashes fit whatever they are: then it does not matter in which order they come, nor
  /// whether the rows of one value are counted one by one or all at once.
  bool fits(size_t n_new) const { return entries_.size() + n_new <= capacity_; }

  /// The k entries of largest count, equal counts by ascending hash.
  std::vector<Entry> top(size_t k) const;

  /// About: as if every name were of its longest.
  size_t memory_bytes() const {
    return entries_.capacity() * (sizeof(Entry) + kMaxNameBytes) + slots_.capacity() * sizeof(uint32_t);
  }
  void encode(ByteWriter& out) const;

  /// keep_values is the schema's, not the sender's: names where there should be none are refused.
  static Frequent decode(ByteReader& in, bool keep_values);

  bool operator==(const Frequent& other) const;

 private:
  uint32_t& find(uint64_t hash);
  void index();
  void resize(size_t n_slots);
  void purge();
  std::vector<Entry> sorted() const;

  bool keep_values_;
  size_t capacity_;
  uint64_t n_ = 0;
  uint64_t error_ = 0;
  std::vector<Entry> entries_;
  uint64_t key_;
  int shift_ = 0;                // from a keyed hash to its slot
  std::vector<uint32_t> slots_;  // 1 + the place in entries_, or 0; linear probing, at most half full
};

}  // namespace tidegauge::sketch
