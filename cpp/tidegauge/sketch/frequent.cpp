#include "tidegauge/sketch/frequent.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/process_key.hpp"

namespace tidegauge::sketch {

namespace {

constexpr uint64_t kMaxCount = uint64_t{1} << 62;
constexpr size_t kMinCapacity = 16, kMaxCapacity = size_t{1} << 20;
constexpr size_t kFirstSlots = 32;
constexpr uint8_t kNamed = 1, kTruncated = 2;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void set_name(Frequent::Entry& entry, std::string_view name) {
  size_t size = std::min(name.size(), Frequent::kMaxNameBytes);
  entry.truncated = size < name.size();
  // A character of UTF-8 has at most three continuation bytes; what is not UTF-8 is cut where it is.
  for (int back = 0; entry.truncated && back < 3 && continues_character(name[size]); ++back) --size;
  entry.name = name.substr(0, size);
  entry.named = true;
}

bool by_hash(const Frequent::Entry& a, const Frequent::Entry& b) { return a.hash < b.hash; }

}  // namespace

Frequent::Frequent(bool keep_values, size_t capacity)
    : keep_values_(keep_values), capacity_(capacity), key_(process_key()) {
  resize(kFirstSlots);
  if (capacity < kMinCapacity || capacity > kMaxCapacity) {
    throw SchemaError("frequent values: capacity is " + std::to_string(capacity) + ", but must lie between " +
                      std::to_string(kMinCapacity) + " and " + std::to_string(kMaxCapacity));
  }
}

/// The slot of a hash, or the empty one where it belongs.
uint32_t& Frequent::find(uint64_t hash) {
  const size_t mask = slots_.size() - 1;
  size_t slot = (hash * key_) >> shift_;
  while (slots_[slot] != 0 && entries_[slots_[slot] - 1].hash != hash) slot = (slot + 1) & mask;
  return slots_[slot];
}

void Frequent::update(uint64_t hash, uint64_t weight, std::string_view name) {
  if (weight == 0) return;
  n_ += weight;
  uint32_t& slot = find(hash);
  const bool is_new = slot == 0;
  if (is_new) {
    entries_.push_back({hash, 0, false, false, {}});
    slot = static_cast<uint32_t>(entries_.size());
  }
  Entry& entry = entries_[slot - 1];
  entry.count += weight;
  if (!entry.named && entry.count >= kNamedFrom && keep_values_) set_name(entry, name);
  if (!is_new) return;
  if (entries_.size() > capacity_) {
    purge();
  } else if (2 * entries_.size() > slots_.size()) {
    index();
  }
}

void Frequent::resize(size_t n_slots) {
  slots_.assign(n_slots, 0);
  shift_ = 64 - std::countr_zero(n_slots);
}

/// Builds the table anew, with room to grow.
void Frequent::index() {
  resize(std::max(slots_.size(), std::bit_ceil(4 * entries_.size())));
  for (size_t i = 0; i < entries_.size(); ++i) find(entries_[i].hash) = static_cast<uint32_t>(i + 1);
}

/// Takes the lower median of the counts off all of them. At least half the entries go.
void Frequent::purge() {
  std::vector<uint64_t> counts(entries_.size());
  std::transform(entries_.begin(), entries_.end(), counts.begin(), [](const Entry& e) { return e.count; });
  const auto middle = counts.begin() + static_cast<ptrdiff_t>((counts.size() - 1) / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  const uint64_t median = *middle;
  std::erase_if(entries_, [&](const Entry& e) { return e.count <= median; });
  for (Entry& entry : entries_) entry.count -= median;
  error_ += median;
  index();
}

void Frequent::merge(const Frequent& other) {
  if (capacity_ != other.capacity_ || keep_values_ != other.keep_values_) {
    throw MergeError("frequent values: cannot merge capacity " + std::to_string(other.capacity_) +
                     (other.keep_values_ ? " with" : " without") + " names into capacity " +
                     std::to_string(capacity_) + (keep_values_ ? " with" : " without") +
                     " names; build both with the same parameters");
  }
  if (n_ + other.n_ > kMaxCount) throw MergeError("frequent values: a total beyond 2^62");
  const auto theirs = other.sorted();  // a copy, so that merging with itself works
  n_ += other.n_;
  error_ += other.error_;
  entries_.reserve(entries_.size() + theirs.size());
  for (const Entry& entry : theirs) {
    uint32_t& slot = find(entry.hash);
    if (slot == 0) {
      entries_.push_back(entry);
      slot = static_cast<uint32_t>(entries_.size());
      if (2 * entries_.size() > slots_.size()) index();
      continue;
    }
    Entry& ours = entries_[slot - 1];
    ours.count += entry.count;
    // Two texts of one hash: any rule will do that does not ask which side is which.
    if (entry.named && (!ours.named || entry.name < ours.name)) {
      ours.named = true;
      ours.truncated = entry.truncated;
      ours.name = entry.name;
    }
  }
  while (entries_.size() > capacity_) purge();
}

std::vector<Frequent::Entry> Frequent::top(size_t k) const {
  std::vector<const Entry*> order(entries_.size());
  std::transform(entries_.begin(), entries_.end(), order.begin(), [](const Entry& e) { return &e; });
  const size_t size = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(size), order.end(),
                    [](const Entry* a, const Entry* b) {
                      return a->count != b->count ? a->count > b->count : a->hash < b->hash;
                    });
  std::vector<Entry> found;
  found.reserve(size);
  for (size_t i = 0; i < size; ++i) found.push_back(*order[i]);
  return found;
}

std::vector<Frequent::Entry> Frequent::sorted() const {
  auto entries = entries_;
  std::sort(entries.begin(), entries.end(), by_hash);
  return entries;
}

bool Frequent::operator==(const Frequent& other) const {
  return keep_values_ == other.keep_values_ && capacity_ == other.capacity_ && n_ == other.n_ &&
         error_ == other.error_ && sorted() == other.sorted();
}

void Frequent::encode(ByteWriter& out) const {
  out.put_varint(capacity_);
  out.put_varint(n_);
  out.put_varint(error_);
  out.put_varint(entries_.size());
  for (const Entry& entry : sorted()) {
    out.put(entry.hash);
    out.put_varint(entry.count);
    out.put(static_cast<uint8_t>((entry.named ? kNamed : 0) | (entry.truncated ? kTruncated : 0)));
    if (entry.named) out.put_text(entry.name);
  }
}

Frequent Frequent::decode(ByteReader& in, bool keep_values) {
  const auto refuse_if = [](bool wrong, const char* what) {
    if (wrong) throw DecodeError(std::string("frequent values: ") + what);
  };
  const uint64_t capacity = in.get_varint("frequent values' capacity");
  refuse_if(capacity < kMinCapacity || capacity > kMaxCapacity, "the capacity is out of range");
  Frequent result(keep_values, capacity);
  result.n_ = in.get_varint("frequent values' total");
  result.error_ = in.get_varint("frequent values' error");
  refuse_if(result.n_ > kMaxCount, "a total beyond 2^62");
  const size_t size = in.get_count(sizeof(uint64_t) + 2, "frequent values");
  refuse_if(size > capacity, "more entries than the capacity");
  result.entries_.reserve(size);
  uint64_t rest = result.n_;  // weight that no entry so far accounts for
  for (size_t i = 0; i < size; ++i) {
    Entry entry;
    entry.hash = in.get<uint64_t>("frequent value's hash");
    refuse_if(i > 0 && entry.hash <= result.entries_.back().hash, "the hashes are not in ascending order");
    entry.count = in.get_varint("frequent value's count");
    refuse_if(entry.count == 0 || entry.count > rest, "the counts do not fit the total");
    rest -= entry.count;
    const auto flags = in.get<uint8_t>("frequent value's flags");
    entry.named = flags & kNamed;
    entry.truncated = flags & kTruncated;
    refuse_if(flags > (kNamed | kTruncated) || flags == kTruncated, "flags that cannot be");
    if (entry.named) {
      refuse_if(!keep_values, "a name where none may be kept");
      refuse_if(result.error_ == 0 && entry.count < kNamedFrom, "a rare value has a name");
      entry.name = in.get_text("frequent value's name");
      refuse_if(entry.name.size() > kMaxNameBytes, "a name is too long");
      refuse_if(entry.truncated && entry.name.size() + 3 < kMaxNameBytes, "a cut name is too short");
    }
    result.entries_.push_back(std::move(entry));
  }
  // Each unit of error was taken off more than half of capacity + 1 entries.
  refuse_if(result.error_ == 0 ? rest != 0 : result.error_ > rest / (capacity / 2),
            "the error does not fit the total");
  result.index();
  return result;
}

}  // namespace tidegauge::sketch
