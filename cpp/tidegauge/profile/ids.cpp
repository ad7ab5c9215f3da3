#include "tidegauge/profile/ids.hpp"

#include <charconv>
#include <cmath>

#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {
namespace {

using arrow::Kind;
using arrow::Physical;

constexpr size_t kMaxDigits = 24;

/// Integers of 64 bits without a sign do not fit the reader of signed ones: those that have the highest bit
/// are read as doubles, which hold only some of them, so they are read here. Plain columns alone have them
/// beyond 2^63 in practice; in a dictionary or runs such a number is no id.
bool is_plain_unsigned(const arrow::ColumnView& view) {
  return view.type.physical == Physical::uint64 && !view.type.dictionary && !view.type.run_end;
}

uint64_t unsigned_at(const arrow::ColumnView& view, int64_t row) {
  uint64_t value;
  std::memcpy(&value, static_cast<const char*>(view.values) + (view.offset + row) * 8, 8);
  return value;
}

}  // namespace

HashedIds hash_ids(const arrow::Batch& batch, size_t column, const SipHash::Key& key) {
  const arrow::ColumnView& view = batch.columns()[column];
  const auto n_rows = static_cast<size_t>(batch.n_rows());
  HashedIds found{std::vector<uint64_t>(2 * n_rows), std::vector<uint8_t>(n_rows)};
  const bool is_text = view.type.kind == Kind::category;
  if (!is_text && view.type.kind != Kind::number) return found;
  batch.check_rows(column);
  const SipHash hash(key);
  Scratch& scratch = thread_scratch();
  const auto put = [&](int64_t row, const void* bytes, size_t size) {
    const auto at = static_cast<size_t>(row);
    const auto hashed = hash(bytes, size);
    found.hashes[2 * at] = hashed[0];
    found.hashes[2 * at + 1] = hashed[1];
    found.valid[at] = 1;
  };
  char digits[kMaxDigits];
  const auto put_number = [&](int64_t row, auto number) {
    put(row, digits, static_cast<size_t>(std::to_chars(digits, digits + kMaxDigits, number).ptr - digits));
  };
  for (int64_t begin = 0; begin < batch.n_rows(); begin += kTile) {
    const int64_t n = std::min(kTile, batch.n_rows() - begin);
    const size_t n_words = (static_cast<size_t>(n) + 63) / 64;
    arrow::read_validity(view, begin, n, scratch.words);
    if (is_text) {
      arrow::read_texts(view, begin, n, scratch.texts);
      for_each_bit(scratch.words, n_words, [&](size_t i) {
        put(begin + static_cast<int64_t>(i), scratch.texts[i].data(), scratch.texts[i].size());
      });
    } else if (is_plain_unsigned(view)) {
      for_each_bit(scratch.words, n_words, [&](size_t i) {
        const auto row = begin + static_cast<int64_t>(i);
        put_number(row, unsigned_at(view, row));
      });
    } else {
      arrow::read_numbers(view, begin, n, arrow::TimeUnit::none, scratch.integers, scratch.words);
      for_each_bit(scratch.words, n_words,
                   [&](size_t i) { put_number(begin + static_cast<int64_t>(i), scratch.integers[i]); });
    }
  }
  return found;
}

}  // namespace tidegauge
