#include <algorithm>
#include <limits>

#include "tidegauge/arrow/convert.hpp"
#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/gather.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"

namespace tidegauge::arrow {
namespace {

constexpr int64_t kMaxWidth = 32;  // bytes of the widest decimal

/// The leaf's values at these rows; zeros below an empty leaf.
void gather_values(const ColumnView& leaf, int64_t width, const uint32_t* rows, int64_t n, char* out) {
  if (leaf.length == 0) {
    std::memset(out, 0, static_cast<size_t>(n * width));
    return;
  }
  gather(static_cast<const char*>(leaf.values) + leaf.offset * width, width, rows, n, out);
}

bool is_readable(const Type& type) { return type.kind == Kind::number || type.kind == Kind::time; }

/// Applies `use(values, n, done)` to contiguous pieces of the leaf's values that make up the rows in order.
template <class Use>
void for_pieces(const ColumnView& column, int64_t begin, int64_t n, Use use) {
  if (n == 0) return;
  const ColumnView& leaf = leaf_of(column);
  const int64_t width = is_readable(leaf.type) ? value_width(leaf.type) : 0;
  if (width == 0) return use(static_cast<const char*>(nullptr), n, int64_t{0});
  if (!is_encoded(column.type)) {
    return use(static_cast<const char*>(column.values) + (column.offset + begin) * width, n, int64_t{0});
  }
  uint32_t rows[kChunk];
  char values[kChunk * kMaxWidth];
  for (int64_t done = 0; done < n; done += kChunk) {
    const int64_t m = std::min(kChunk, n - done);
    leaf_rows(column, begin + done, m, rows);
    gather_values(leaf, width, rows, m, values);
    use(static_cast<const char*>(values), m, done);
  }
}

/// The type to convert from: values that are neither numbers nor times are converted from none, that is, not.
Type source_of(const ColumnView& column) { return is_readable(column.type) ? leaf_of(column).type : Type{}; }

}  // namespace

int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, int64_t* out,
                     uint64_t* words) {
  const Type type = source_of(column);
  int64_t n_mistyped = 0;
  for_pieces(column, begin, n, [&](const char* values, int64_t m, int64_t done) {
    n_mistyped += convert(type, values, m, out + done, words + (done >> 6));
    n_mistyped += rescale(type.unit, unit, m, out + done, words + (done >> 6));
  });
  return n_mistyped;
}

int64_t read_numbers(const ColumnView& column, int64_t begin, int64_t n, TimeUnit unit, double* out,
                     uint64_t* words) {
  const Type type = source_of(column);
  int64_t n_mistyped = 0;
  if (type.kind == Kind::time) {  // the unit is changed while they are integers
    constexpr Type plain{.kind = Kind::number, .physical = Physical::int64};
    int64_t times[kChunk];
    for (int64_t done = 0; done < n; done += kChunk) {
      const int64_t m = std::min(kChunk, n - done);
      n_mistyped += read_numbers(column, begin + done, m, unit, times, words + (done >> 6));
      n_mistyped += convert(plain, times, m, out + done, words + (done >> 6));
    }
    return n_mistyped;
  }
  for_pieces(column, begin, n, [&](const char* values, int64_t m, int64_t done) {
    n_mistyped += convert(type, values, m, out + done, words + (done >> 6));
  });
  return n_mistyped;
}

void read_embeddings(const ColumnView& column, int64_t begin, int64_t n, double* out) {
  const ColumnView& items = *column.child;
  const int64_t first = (column.offset + begin) * column.type.width, n_items = n * column.type.width;
  uint64_t words[kChunk / 64];
  for (int64_t done = 0; done < n_items; done += kChunk) {
    const int64_t m = std::min(kChunk, n_items - done);
    own_validity(items, first + done, m, words);
    read_numbers(items, first + done, m, TimeUnit::none, out + done, words);
    if (!items.validity) continue;
    for (int64_t i = 0; i < m; ++i) {
      if (!((words[i >> 6] >> (i & 63)) & 1)) out[done + i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
}

}  // namespace tidegauge::arrow
