#include "tidegauge/joint/classes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"

namespace tidegauge::joint {
namespace {

using arrow::Kind;

bool test(const uint64_t* words, int64_t i) { return (words[i >> 6] >> (i & 63)) & 1; }

/// Gives the rows whose bit is clear a code of their own.
void mark(const uint64_t* words, int64_t n, size_t code, uint16_t* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = test(words, i) ? out[i] : static_cast<uint16_t>(code);
}

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
    if (value.index() != values_.front().index()) {
      throw SchemaError(where + " are texts and numbers; name them all as the column holds them");
    }
    if (auto* number = std::get_if<double>(&value)) {
      if (!std::isfinite(*number)) throw SchemaError(where + " have one that is not finite");
      *number += 0.0;
      hashes.push_back(hash_of(*number));
    } else {
      hashes.push_back(hash_text(std::get<std::string>(value), kDefaultSeed));
    }
  }
  auto sorted = hashes;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) throw SchemaError(where + " have one named twice");
  found_ = binning::Categories::make(std::move(hashes), {}, kDefaultSeed);
}

size_t Classes::code_of(std::string_view text) const {
  return std::min(found_->cell_of(hash_text(text, kDefaultSeed)), other());
}

size_t Classes::code_of(double number) const {
  return std::isnan(number) ? missing() : std::min(found_->cell_of(hash_of(number)), other());
}

void Classes::encode(ByteWriter& out) const {
  out.put(static_cast<uint8_t>(of_texts()));
  out.put_varint(size());
  for (const Value& value : values_) {
    if (const auto* number = std::get_if<double>(&value)) {
      out.put(*number);
    } else {
      out.put_text(std::get<std::string>(value));
    }
  }
}

Classes Classes::decode(ByteReader& in, const std::string& what) {
  const auto texts = in.get<uint8_t>("classes");
  if (texts > 1) throw DecodeError("classes: neither texts nor numbers");
  std::vector<Value> values(in.get_count(1, "classes"));
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

ClassReader::ClassReader(const Classes& classes, const arrow::ColumnView* column)
    : classes_(classes), column_(column) {
  if (!column || !column->type.dictionary || column->child->length > 4 * column->length + 1024) return;
  const arrow::ColumnView& dictionary = *column->child;
  entries_.resize(static_cast<size_t>(std::max<int64_t>(dictionary.length, 1)),
                  static_cast<uint16_t>(classes.missing()));
  const ClassReader values(classes, &dictionary);
  for (int64_t begin = 0; begin < dictionary.length; begin += kTile) {
    values.read(begin, std::min(kTile, dictionary.length - begin), entries_.data() + begin);
  }
}

void ClassReader::read(int64_t begin, int64_t n, uint16_t* out) const {
  if (!column_) {
    std::fill_n(out, n, static_cast<uint16_t>(classes_.missing()));
    return;
  }
  uint64_t words[kTile / 64];
  if (!entries_.empty()) {
    uint32_t codes[kTile];
    arrow::read_codes(*column_, begin, n, codes);
    for (int64_t i = 0; i < n; ++i) out[i] = entries_[codes[i]];
  } else {
    const Kind kind = column_->type.kind;
    if (kind == (classes_.of_texts() ? Kind::category : Kind::number)) {
      classes_.of_texts() ? read_texts(begin, n, out) : read_numbers(begin, n, out);
    } else if (kind == Kind::boolean && !classes_.of_texts()) {
      const auto no = static_cast<uint16_t>(classes_.code_of(0.0)),
                 yes = static_cast<uint16_t>(classes_.code_of(1.0));
      arrow::read_booleans(*column_, begin, n, words);
      for (int64_t i = 0; i < n; ++i) out[i] = test(words, i) ? yes : no;
    } else {
      std::fill_n(out, n, static_cast<uint16_t>(classes_.mistyped()));
    }
  }
  if (arrow::read_validity(*column_, begin, n, words) < n) mark(words, n, classes_.missing(), out);
}

void ClassReader::read_texts(int64_t begin, int64_t n, uint16_t* out) const {
  std::string_view texts[kTile];
  arrow::read_texts(*column_, begin, n, texts);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<uint16_t>(classes_.code_of(texts[i]));
}

void ClassReader::read_numbers(int64_t begin, int64_t n, uint16_t* out) const {
  double numbers[kTile + 8];
  uint64_t words[kTile / 64];
  std::fill_n(words, arrow::n_words(n), ~uint64_t{0});
  const int64_t n_mistyped = arrow::read_numbers(*column_, begin, n, arrow::TimeUnit::none, numbers, words);
  if (classes_.size() <= 2) {
    const double first = std::get<double>(classes_.values().front()),
                 second = std::get<double>(classes_.values().back());
    const size_t last = classes_.size() - 1, missing = classes_.missing(), other = classes_.other();
    for (int64_t i = 0; i < n; ++i) {
      const double x = numbers[i];
      const size_t known = x == first ? 0 : x == second ? last : other;
      out[i] = static_cast<uint16_t>(x != x ? missing : known);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<uint16_t>(classes_.code_of(numbers[i]));
  }
  if (n_mistyped > 0) mark(words, n, classes_.mistyped(), out);
}

}  // namespace tidegauge::joint
