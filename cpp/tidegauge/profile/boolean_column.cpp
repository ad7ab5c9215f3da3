#include "tidegauge/profile/boolean_column.hpp"

#include <algorithm>
#include <bit>

#include "tidegauge/arrow/read.hpp"

namespace tidegauge {

void BooleanColumn::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  uint64_t bits[kTile / 64];
  for (int64_t begin = 0; begin < view.length; begin += kTile) {
    const int64_t n = std::min<int64_t>(kTile, view.length - begin);
    homes_.n_null += static_cast<uint64_t>(n - arrow::read_validity(view, begin, n, scratch.words));
    arrow::read_booleans(view, begin, n, bits);
    for (size_t i = 0; i < (static_cast<size_t>(n) + 63) / 64; ++i) {
      n_true_ += static_cast<uint64_t>(std::popcount(bits[i] & scratch.words[i]));
    }
  }
}

void BooleanColumn::decode_values(ByteReader& in) {
  n_true_ = in.get_varint("boolean");
  if (n_true_ > n_present()) throw DecodeError("boolean: more true values than values");
}

}  // namespace tidegauge
