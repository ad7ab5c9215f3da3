#include "tidegauge/profile/counted_column.hpp"

#include <algorithm>

#include "tidegauge/arrow/read.hpp"

namespace tidegauge {

void CountedColumn::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  // Of a type that cannot be read, not even the nulls are known.
  if (view.type.kind == arrow::Kind::unsupported) return;
  if (!view.validity && !view.parent_validity && !view.child) return;
  for (int64_t begin = 0; begin < view.length; begin += kTile) {
    const int64_t n = std::min<int64_t>(kTile, view.length - begin);
    homes_.n_null += static_cast<uint64_t>(n - arrow::read_validity(view, begin, n, scratch.words));
  }
}

}  // namespace tidegauge
