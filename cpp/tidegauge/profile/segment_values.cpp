#include "tidegauge/profile/segment_values.hpp"

#include <algorithm>
#include <utility>

#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/process_key.hpp"
#include "tidegauge/base/utf8.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {

namespace {
constexpr size_t kFirstSlots = 32;
uint64_t hash_of(std::string_view text) { return hash_text(text, process_key()); }
}  // namespace

bool tells_segments(const ColumnSpec* spec, const arrow::Type& type) {
  if (!spec || spec->counted_only || spec->kind == arrow::Kind::unsupported) {
    return type.kind == arrow::Kind::category || type.kind == arrow::Kind::boolean ||
           (type.kind == arrow::Kind::number && arrow::is_integer(type.physical));
  }
  return spec->kind == arrow::Kind::category ? readable_as_texts(type) : type.kind == spec->kind;
}

SegmentValues::SegmentValues() : texts_(1), slots_(kFirstSlots) {}

uint32_t SegmentValues::find_exactly(std::string_view text, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].number != 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && *texts_[slots_[at].number] == text) return slots_[at].number;
  }
  return kUnknown;
}

uint32_t SegmentValues::find(std::string_view text) const {
  if (text.size() > kMaxBytes) return kTooLong;
  const uint32_t found = find_exactly(text, hash_of(text));
  if (found != kUnknown || is_utf8(text)) return found;
  const std::string readable = to_utf8(text);
  return readable.size() > kMaxBytes ? kTooLong : find_exactly(readable, hash_of(readable));
}

uint32_t SegmentValues::add(std::string_view text) {
  if (const uint32_t found = find(text); found != kUnknown) return found;
  const auto number = static_cast<uint32_t>(texts_.size());
  if (2 * texts_.size() > slots_.size()) {
    const std::vector<Slot> before = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : before) {
      if (slot.number != 0) place(slot.hash, slot.number);
    }
  }
  texts_.emplace_back(to_utf8(text));
  n_text_bytes_ += texts_.back()->size();
  place(hash_of(*texts_.back()), number);
  return number;
}

void SegmentValues::place(uint64_t hash, uint32_t number) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].number != 0) at = (at + 1) & mask;
  slots_[at] = {hash, number};
}

void SegmentValues::number_rows(const arrow::ColumnView& view, Scratch& scratch, uint32_t* out) const {
  // A dictionary much larger than the batch is not worth reading.
  if (view.type.dictionary && view.child->length <= 4 * view.length + 1024) {
    return number_codes(view, scratch, out);
  }
  for (int64_t begin = 0; begin < view.length; begin += kTextTile) {
    const int64_t n = std::min(kTextTile, view.length - begin);
    arrow::read_validity(view, begin, n, scratch.words);
    read_as_texts(view, begin, n, scratch);
    uint32_t* numbers = out + begin;
    std::fill_n(numbers, n, kMissing);
    for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64,
                 [&](size_t i) { numbers[i] = find(scratch.texts[i]); });
  }
}

void SegmentValues::number_codes(const arrow::ColumnView& view, Scratch& scratch, uint32_t* out) const {
  const arrow::ColumnView& dictionary = *view.child;
  std::vector<uint32_t> numbers(static_cast<size_t>(std::max<int64_t>(dictionary.length, 1)), kMissing);
  for (int64_t begin = 0; begin < dictionary.length; begin += kTextTile) {
    const int64_t n = std::min(kTextTile, dictionary.length - begin);
    arrow::read_validity(dictionary, begin, n, scratch.words);
    read_as_texts(dictionary, begin, n, scratch);
    for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64,
                 [&](size_t i) { numbers[static_cast<size_t>(begin) + i] = find(scratch.texts[i]); });
  }
  for (int64_t begin = 0; begin < view.length; begin += kTile) {
    const int64_t n = std::min(kTile, view.length - begin);
    arrow::read_codes(view, begin, n, out + begin);
    const bool all_valid = arrow::read_validity(view, begin, n, scratch.words) == n;
    for (int64_t i = 0; i < n; ++i) {
      const bool is_valid = all_valid || ((scratch.words[i / 64] >> (i % 64)) & 1);
      out[begin + i] = is_valid ? numbers[out[begin + i]] : kMissing;
    }
  }
}

size_t SegmentValues::memory_bytes() const {
  return texts_.size() * sizeof texts_[0] + n_text_bytes_ + slots_.size() * sizeof(Slot);
}

}  // namespace tidegauge
