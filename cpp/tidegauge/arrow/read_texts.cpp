#include <algorithm>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"

namespace tidegauge::arrow {
namespace {

template <class T>
std::string_view offset_text(const ColumnView& leaf, int64_t row) {
  const auto begin = load<T>(leaf.values, leaf.offset + row),
             end = load<T>(leaf.values, leaf.offset + row + 1);
  return {leaf.text + begin, static_cast<size_t>(end - begin)};
}

/// A null row's view may hold anything, so it is not followed.
std::string_view view_text(const ColumnView& leaf, int64_t row, bool valid) {
  if (!valid || (leaf.validity && !test_bit(leaf.validity, leaf.offset + row))) return {};
  const auto* view = static_cast<const char*>(leaf.values) + (leaf.offset + row) * 16;
  const auto size = static_cast<size_t>(load<uint32_t>(view, 0));
  if (size <= 12) return {view + 4, size};
  const auto* data = static_cast<const char*>(leaf.variadic[load<int32_t>(view, 2)]);
  return {data + load<int32_t>(view, 3), size};
}

/// out[i] = the text of row row_of(i); valid(i) is asked of views only.
template <class RowOf, class Valid>
void read_rows(const ColumnView& leaf, int64_t n, RowOf row_of, Valid valid, std::string_view* out) {
  switch (leaf.values ? leaf.type.physical : Physical::none) {
    case Physical::offsets32:
      for (int64_t i = 0; i < n; ++i) out[i] = offset_text<int32_t>(leaf, row_of(i));
      return;
    case Physical::offsets64:
      for (int64_t i = 0; i < n; ++i) out[i] = offset_text<int64_t>(leaf, row_of(i));
      return;
    case Physical::views:
      for (int64_t i = 0; i < n; ++i) out[i] = view_text(leaf, row_of(i), valid(i));
      return;
    case Physical::fixed_bytes:
      for (int64_t i = 0; i < n; ++i) {
        const auto width = int64_t{leaf.type.width};
        out[i] = {static_cast<const char*>(leaf.values) + (leaf.offset + row_of(i)) * width,
                  static_cast<size_t>(width)};
      }
      return;
    default:
      std::fill(out, out + n, std::string_view());
  }
}

}  // namespace

void read_texts(const ColumnView& column, int64_t begin, int64_t n, std::string_view* out) {
  if (!is_encoded(column.type)) {
    const uint8_t* parent = column.parent_validity;
    const auto valid = [&](int64_t i) {
      return !parent || test_bit(parent, column.parent_offset + begin + i);
    };
    return read_rows(column, n, [begin](int64_t i) { return begin + i; }, valid, out);
  }
  const ColumnView& leaf = leaf_of(column);
  uint32_t rows[kChunk];
  for (int64_t done = 0; done < n; done += kChunk) {
    const int64_t m = std::min(kChunk, n - done);
    leaf_rows(column, begin + done, m, rows);
    read_rows(leaf, m, [&](int64_t i) { return int64_t{rows[i]}; }, [](int64_t) { return true; }, out + done);
  }
}

}  // namespace tidegauge::arrow
