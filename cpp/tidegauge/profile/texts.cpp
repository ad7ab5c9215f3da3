#include "tidegauge/profile/texts.hpp"

#include <charconv>

#include "tidegauge/arrow/read.hpp"

namespace tidegauge {

using arrow::Kind;
using arrow::Physical;

namespace {
constexpr size_t kMaxDigits = 24;
}

int64_t read_as_texts(const arrow::ColumnView& view, int64_t begin, int64_t n, Scratch& scratch) {
  if (view.type.kind == Kind::category) {
    arrow::read_texts(view, begin, n, scratch.texts);
    return 0;
  }
  const auto count = static_cast<size_t>(n);
  if (view.type.kind == Kind::boolean) {
    uint64_t bits[kTile / 64];
    arrow::read_booleans(view, begin, n, bits);
    for (size_t i = 0; i < count; ++i) scratch.texts[i] = (bits[i / 64] >> (i % 64)) & 1 ? "true" : "false";
    return 0;
  }
  const int64_t mistyped =
      arrow::read_numbers(view, begin, n, arrow::TimeUnit::none, scratch.integers, scratch.words);
  scratch.digits.resize(kTile * kMaxDigits);
  for (size_t i = 0; i < count; ++i) {
    char* first = scratch.digits.data() + i * kMaxDigits;
    const auto written = std::to_chars(first, first + kMaxDigits, scratch.integers[i]);
    scratch.texts[i] = {first, static_cast<size_t>(written.ptr - first)};
  }
  return mistyped;
}

bool readable_as_texts(const arrow::Type& type) {
  return type.kind == Kind::category || type.kind == Kind::boolean ||
         (type.kind == Kind::number && type.physical != Physical::decimal);
}

}  // namespace tidegauge
