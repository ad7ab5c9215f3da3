#include "tidegauge/joint/classes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/tile.hpp"

namespace tidegauge::joint {
namespace {

using arrow::Kind;

bool test(const uint64_t* words, int64_t i) { return (words[i >> 6] >> (i & 63)) & 1; }

/// Gives the rows whose bit is clear a code of their own.
void mark(const uint64_t* words, int64_t n, Code code, Code* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = test(words, i) ? out[i] : code;
}

constexpr int64_t kExact = int64_t{1} << 53;  // whole numbers up to here are doubles

uint64_t hash_of(double number) { return hash_bits(std::bit_cast<uint64_t>(number + 0.0), kDefaultSeed); }

}  // namespace

Classes::Classes(std::vector<Value> values, const std::string& what) : values_(std::move(values)) {
  const std::string where = "outcomes: the classes of '" + what + "'";
  if (values_.empty() || values_.size() > kMax) {
    throw SchemaError(where + " are " + std::to_string(values_.size()) + "; 1 to " + std::to_string(kMax) +
                      " can be told apart, and any other value counts as another");
  }
  std::vector<uint64_t> hashes;
  for (Value& value : values_) {
    if (value.text.has_value() != of_texts()) {
      throw SchemaError(where + " are texts and numbers; name them all as the column holds them");
    }
    if (value.text) {
      hashes.push_back(hash_text(*value.text, kDefaultSeed));
    } else {
      if (!std::isfinite(value.number)) throw SchemaError(where + " have one that is not finite");
      value.number += 0.0;
      hashes.push_back(hash_of(value.number));
    }
  }
  auto sorted = hashes;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) throw SchemaError(where + " have one named twice");
  found_ = binning::Categories::make(std::move(hashes), {}, kDefaultSeed);
}

Code Classes::code_of(std::string_view text) const {
  return static_cast<Code>(std::min(found_->cell_of(hash_text(text, kDefaultSeed)), size()));
}

Code Classes::code_of(double number) const {
  if (std::isnan(number)) return missing();
  return static_cast<Code>(std::min(found_->cell_of(hash_of(number)), size()));
}

Code Classes::code_of(int64_t number) const {
  const bool exact = number >= -kExact && number <= kExact;  // no other can be a class
  return exact ? code_of(static_cast<double>(number)) : other();
}

void Classes::encode(ByteWriter& out) const {
  out.put(static_cast<uint8_t>(of_texts()));
  out.put_varint(size());
  for (const Value& value : values_) {
    if (value.text) {
      out.put_text(*value.text);
    } else {
      out.put(value.number);
    }
  }
}

Classes Classes::decode(ByteReader& in, const std::string& what) {
  const auto texts = in.get<uint8_t>("classes");
  if (texts > 1) throw DecodeError("classes: neither texts nor numbers");
  const size_t n_values = in.get_count(1, "classes");
  if (n_values > kMax)
    throw DecodeError("classes: more than can be told apart");  // before room is made for them
  std::vector<Value> values(n_values);
  for (Value& value : values) {
    if (texts) {
      value = in.get_text("classes");
      continue;
    }
    const auto number = in.get<double>("classes");
    if (number == 0 && std::signbit(number)) throw DecodeError("classes: minus zero");
    value = number;
  }
  return {std::move(values), what};
}

ClassReader::ClassReader(const Classes& classes, const Meaning& meaning, const arrow::ColumnView* column)
    : classes_(classes), meaning_(meaning), column_(column) {
  if (!column) return;
  if (column->type.dictionary && column->child->length <= 4 * column->length + 1024) {
    const arrow::ColumnView& dictionary = *column->child;
    entries_.resize(static_cast<size_t>(dictionary.length) + 8, meaning[classes.missing()]);
    const ClassReader values(classes, meaning, &dictionary);
    for (int64_t begin = 0; begin < dictionary.length; begin += kTile) {
      values.read(begin, std::min(kTile, dictionary.length - begin), entries_.data() + begin);
    }
    return;
  }
  if (classes.of_texts()) return;
  const auto exact = static_cast<double>(kExact);
  double low = exact, high = -exact;
  for (const Classes::Value& value : classes.values()) {
    const double number = value.number;
    if (number != std::trunc(number)) continue;  // no integer is that
    low = std::min(low, number), high = std::max(high, number);
  }
  all_near_ = low >= -exact && high <= exact && high - low < Classes::kCodes - 1;
  if (!all_near_) return;
  low_ = static_cast<int64_t>(low);
  near_.fill(meaning[classes.other()]);
  for (int64_t i = 0; i + 1 < static_cast<int64_t>(Classes::kCodes); ++i) {
    near_[static_cast<size_t>(i)] = meaning[classes.code_of(low_ + i)];
  }
}

void ClassReader::read(int64_t begin, int64_t n, Code* out) const {
  if (!column_) {
    std::fill_n(out, n, meaning_[classes_.missing()]);
    return;
  }
  prefetch_tile(*column_, begin + n);
  if (!entries_.empty()) {
    uint32_t codes[kTile];
    arrow::read_codes(*column_, begin, n, codes);
    for (int64_t i = 0; i < n; ++i) out[i] = entries_[codes[i]];
  } else if (const Kind kind = column_->type.kind; classes_.of_texts() && kind == Kind::category) {
    read_texts(begin, n, out);
  } else if (!classes_.of_texts() && kind == Kind::boolean) {
    read_booleans(begin, n, out);
  } else if (!classes_.of_texts() && kind == Kind::number) {
    arrow::is_integer(column_->type.physical) ? read_integers(begin, n, out) : read_reals(begin, n, out);
  } else {
    std::fill_n(out, n, meaning_[classes_.mistyped()]);
  }
  uint64_t words[kTile / 64];
  if (arrow::read_validity(*column_, begin, n, words) < n) mark(words, n, meaning_[classes_.missing()], out);
  if (!column_->mistyped) return;  // which those bits call null
  for (int64_t i = 0; i < n; ++i) {
    if (is_mistyped(*column_, begin + i)) out[i] = meaning_[classes_.mistyped()];
  }
}

void ClassReader::read_texts(int64_t begin, int64_t n, Code* out) const {
  std::string_view texts[kTile];
  arrow::read_texts(*column_, begin, n, texts);
  for (int64_t i = 0; i < n; ++i) out[i] = meaning_[classes_.code_of(texts[i])];
}

void ClassReader::read_booleans(int64_t begin, int64_t n, Code* out) const {
  // Eight bits become eight bytes of 0 or 1: byte j keeps bit j of its copy, and carries it to its top.
  constexpr uint64_t kOnes = 0x0101010101010101, kDiagonal = 0x8040201008040201, kCarry = 0x7f7f7f7f7f7f7f7f;
  const Code no = meaning_[classes_.code_of(0.0)], yes = meaning_[classes_.code_of(1.0)];
  uint64_t words[kTile / 64];
  arrow::read_booleans(*column_, begin, n, words);
  for (int64_t i = 0; i < n; i += 8) {
    const uint64_t byte = (words[i >> 6] >> (i & 63)) & 0xff;
    const uint64_t bits = (((byte * kOnes) & kDiagonal) + kCarry) >> 7 & kOnes;
    const uint64_t codes = (bits * static_cast<Code>(no ^ yes)) ^ (kOnes * no);
    std::memcpy(out + i, &codes, sizeof codes);
  }
}

void ClassReader::read_integers(int64_t begin, int64_t n, Code* out) const {
  int64_t numbers[kTile + 8];
  uint64_t words[kTile / 64];
  std::fill_n(words, arrow::n_words(n), ~uint64_t{0});
  const int64_t beyond = arrow::read_numbers(*column_, begin, n, arrow::TimeUnit::none, numbers, words);
  if (all_near_) {
    const auto low = static_cast<uint64_t>(low_);
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t above = static_cast<uint64_t>(numbers[i]) - low;
      out[i] = near_[std::min<uint64_t>(above, Classes::kCodes - 1)];
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = meaning_[classes_.code_of(numbers[i])];
  }
  if (beyond > 0) mark(words, n, meaning_[classes_.other()], out);  // 2^63 and more
}

void ClassReader::read_reals(int64_t begin, int64_t n, Code* out) const {
  double numbers[kTile + 8];
  uint64_t words[kTile / 64];
  std::fill_n(words, arrow::n_words(n), ~uint64_t{0});
  const int64_t n_mistyped = arrow::read_numbers(*column_, begin, n, arrow::TimeUnit::none, numbers, words);
  if (classes_.size() <= 2) {
    const double first = classes_.values().front().number, second = classes_.values().back().number;
    const Code is_first = meaning_[0], is_second = meaning_[classes_.size() - 1],
               is_nan = meaning_[classes_.missing()], is_other = meaning_[classes_.other()];
    for (int64_t i = 0; i < n; ++i) {
      const double x = numbers[i];
      out[i] = x == first ? is_first : x == second ? is_second : x != x ? is_nan : is_other;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = meaning_[classes_.code_of(numbers[i])];
  }
  if (n_mistyped > 0) mark(words, n, meaning_[classes_.mistyped()], out);
}

}  // namespace tidegauge::joint
