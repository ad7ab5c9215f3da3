#include "tidegauge/profile/boolean_column.hpp"

#include <algorithm>
#include <bit>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/profile/texts.hpp"

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
    const int8_t* of_cell = scratch.scores.of_cell;  // no structured binding: Clang before 16 captures none
    int8_t* rows = scratch.scores.out;
    if (of_cell) {
      for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64, [&](size_t i) {
        rows[static_cast<size_t>(begin) + i] = of_cell[(bits[i / 64] >> (i % 64)) & 1];
      });
    }
  }
}

void BooleanColumn::decode_values(ByteReader& in) {
  n_true_ = in.get_varint("boolean");
  if (n_true_ > n_present()) throw DecodeError("boolean: more true values than values");
}

}  // namespace tidegauge
