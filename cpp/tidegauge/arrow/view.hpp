#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tidegauge::arrow {

/// What a column means, whatever its physical type.
enum class Kind : uint8_t { unsupported, number, boolean, category, time, embedding };

/// How one value lies in memory.
enum class Physical : uint8_t {
  none,  // no values to read: null type, unsupported types
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  float32,
  float64,
  decimal,      // 4, 8, 16 or 32 bytes: Type::width
  offsets32,    // utf8, binary
  offsets64,    // large_utf8, large_binary
  views,        // utf8_view, binary_view
  fixed_bytes,  // fixed-size binary: Type::width
  fixed_list,   // fixed-size list of Type::width floats: ColumnView::child holds them
};

enum class TimeUnit : uint8_t { none, second, milli, micro, nano, day };

/// The parsed meaning of one column of a schema. `dictionary` and `run_end` speak of the outermost encoding:
/// run-end encoded dictionary codes have run_end only, and the readers see through both.
struct Type {
  Kind kind = Kind::unsupported;
  Physical physical = Physical::none;  // of the values, below any dictionary or run-end encoding
  TimeUnit unit = TimeUnit::none;      // kind time
  int32_t width = 0;                   // bytes of a decimal or fixed_bytes, floats of a fixed_list
  int32_t scale = 0;                   // decimals
  bool dictionary = false;
  bool run_end = false;
  bool null_type = false;  // every value is null; Kind is unsupported

  bool operator==(const Type&) const = default;
};

/// A column's name and type; `format` keeps the producer's own words for messages. Neither is known to be
/// UTF-8. `index` and `value` mirror ColumnView::index and ColumnView::child.
struct Field {
  std::string name;
  std::string format;
  std::string extension;  // ARROW:extension:name, "" if none
  std::string timezone;   // as written by the producer
  Type type;
  Physical index = Physical::none;     // integer type of the dictionary codes or of the run ends
  std::shared_ptr<const Field> value;  // dictionary values, run values, or a fixed_list's floats
};

/// One array of one batch: pointers into memory that the batch keeps alive. Row i of the column is row
/// `offset + i` of the buffers. Buffers may be unaligned: load with memcpy.
struct ColumnView {
  Type type;                        // for a dictionary or run-end column: of the decoded values
  Physical index = Physical::none;  // dictionary: integer type of the codes; run_end: of the run ends
  int64_t length = 0;
  int64_t offset = 0;
  const uint8_t* validity = nullptr;         // LSB-first bits from row 0 of the buffer; null means all valid
  const uint8_t* parent_validity = nullptr;  // the batch struct's own bitmap; null means all valid
  int64_t parent_offset = 0;                 // row i is bit parent_offset + i
  // Why rows that `validity` says are null have no value, where it is something else: bits placed like its.
  // No Arrow producer says so, but whoever collects rows one by one knows.
  const uint8_t* absent = nullptr;    // the row came without the column
  const uint8_t* mistyped = nullptr;  // the row's value was of a type that the column cannot hold
  const void* values = nullptr;  // fixed-width values, bits, offsets, views, dictionary codes, or run ends
  const char* text = nullptr;    // offsets32/offsets64: the bytes they point into
  const void* const* variadic = nullptr;  // views: data buffers
  const void* variadic_sizes = nullptr;   // n_variadic int64, perhaps unaligned
  int64_t n_variadic = 0;
  // Dictionary values, run values (as many as there are run ends), or a fixed_list's floats.
  std::shared_ptr<const ColumnView> child;

  /// Rows [begin, begin + n), which must be there.
  ColumnView slice(int64_t begin, int64_t n) const {
    ColumnView part = *this;
    part.offset += begin;
    part.parent_offset += begin;
    part.length = n;
    return part;
  }
};

}  // namespace tidegauge::arrow
