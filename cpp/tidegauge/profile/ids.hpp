#pragma once

#include <cstdint>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/base/siphash.hpp"

namespace tidegauge {

/// The ids of some rows, as hashes of 128 bits that only who has the key can make.
struct HashedIds {
  std::vector<uint64_t> hashes;  // two a row; 0 where there is no id
  std::vector<uint8_t> valid;    // 1 where there is one
};

/// Hashes a column of ids: texts and binaries by their bytes, whole numbers by their decimal digits, so that
/// 5 is one id as any type of integer, as the float that pandas makes of it beside a null, and as the text
/// "5". Null, NaN, fractions, and what is no text and no number (booleans and times too) is no id. Throws
/// ArrowError for rows that point outside their buffers.
HashedIds hash_ids(const arrow::Batch& batch, size_t column, const SipHash::Key& key);

}  // namespace tidegauge
