#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// Reads rows of a category column as texts, writing integers out in decimal and booleans as "true" and
/// "false". Clears the bits in scratch.words of numbers that are not whole, and returns how many there were.
int64_t read_as_texts(const arrow::ColumnView& view, int64_t begin, int64_t n, Scratch& scratch);

/// Whether read_as_texts knows the type.
bool readable_as_texts(const arrow::Type& type);

/// Calls f(i) for every set bit.
template <class F>
void for_each_bit(const uint64_t* words, size_t n_words, F f) {
  for (size_t w = 0; w < n_words; ++w) {
    for (uint64_t bits = words[w]; bits; bits &= bits - 1) {
      f(w * 64 + static_cast<size_t>(std::countr_zero(bits)));
    }
  }
}

}  // namespace tidegauge
