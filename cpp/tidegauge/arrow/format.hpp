#pragma once

#include <string>

#include "tidegauge/arrow/place.hpp"
#include "tidegauge/arrow/view.hpp"

namespace tidegauge::arrow {

/// How the children of a type are to be understood.
enum class Nesting : uint8_t { leaf, list, fixed_list, structure, run_end, any };

/// One format string, parsed. A fixed-size list is of kind unsupported here: only its child says more.
struct Format {
  Type type;
  std::string timezone;
  Nesting nesting = Nesting::leaf;
};

/// Parses the whole of an Arrow format string. Formats we do not know, private ones included, are of kind
/// unsupported; a format that is null, empty, or breaks the grammar of its own prefix throws ArrowError.
Format parse_format(const char* format, const Place& place);

bool is_integer(Physical physical);
bool is_float(Physical physical);

/// Bytes of one fixed-width value; 0 for bits, texts, lists and none.
int64_t value_width(const Type& type);
int64_t value_width(Physical physical);

}  // namespace tidegauge::arrow
