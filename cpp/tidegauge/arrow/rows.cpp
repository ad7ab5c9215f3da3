#include "tidegauge/arrow/rows.hpp"

#include <algorithm>

namespace tidegauge::arrow {
namespace {

void code_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out) {
  with_integer(column.index, [&]<class T>(T*) {
    const auto* codes =
        static_cast<const char*>(column.values) + (column.offset + begin) * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<uint32_t>(load<T>(codes, i));
  });
  if (!column.validity && !column.parent_validity) return;
  uint64_t words[kChunk / 64];
  for (int64_t done = 0; done < n; done += kChunk) {
    const int64_t m = std::min(kChunk, n - done);
    own_validity(column, begin + done, m, words);
    for (int64_t i = 0; i < m; i += 64) {
      for (uint64_t nulls = ~words[i >> 6] & low_bits(m - i); nulls; nulls &= nulls - 1) {
        out[done + i + std::countr_zero(nulls)] = 0;
      }
    }
  }
}

/// One binary search, then run by run. Never leaves the table of runs, whatever the run ends say.
void run_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out) {
  with_integer(column.index, [&]<class T>(T*) {
    const int64_t first = column.offset + begin, last_run = column.child->length - 1;
    int64_t low = 0, high = last_run;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (static_cast<int64_t>(load<T>(column.values, middle)) > first) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    for (int64_t done = 0, run = low; done < n; ++run) {
      const int64_t end = run >= last_run ? n : static_cast<int64_t>(load<T>(column.values, run)) - first;
      const int64_t stop = std::clamp(end, done, n);
      std::fill(out + done, out + stop, static_cast<uint32_t>(run));
      done = stop;
    }
  });
}

uint32_t code_at(const ColumnView& column, int64_t i) {
  uint32_t code = 0;
  code_rows(column, i, 1, &code);
  return code;
}

}  // namespace

const ColumnView& leaf_of(const ColumnView& column) {
  return is_encoded(column.type) ? leaf_of(*column.child) : column;
}

void child_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out) {
  if (n == 0) return;
  column.type.dictionary ? code_rows(column, begin, n, out) : run_rows(column, begin, n, out);
}

void leaf_rows(const ColumnView& column, int64_t begin, int64_t n, uint32_t* out) {
  child_rows(column, begin, n, out);
  if (!is_encoded(column.child->type)) return;
  for (int64_t i = 0; i < n;) {  // runs of dictionary codes: one look-up a run
    const uint32_t run = out[i], code = code_at(*column.child, run);
    while (i < n && out[i] == run) out[i++] = code;
  }
}

bool child_has_nulls(const ColumnView& column) {
  return is_encoded(column.type) && (column.child->validity || child_has_nulls(*column.child));
}

bool is_valid(const ColumnView& column, int64_t i) {
  if (column.validity && !test_bit(column.validity, column.offset + i)) return false;
  if (!is_encoded(column.type) || !child_has_nulls(column)) return true;
  uint32_t row = 0;
  child_rows(column, i, 1, &row);
  return is_valid(*column.child, row);
}

}  // namespace tidegauge::arrow
