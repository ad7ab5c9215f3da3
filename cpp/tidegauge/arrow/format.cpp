#include "tidegauge/arrow/format.hpp"

#include <charconv>
#include <limits>
#include <string_view>

namespace tidegauge::arrow {
namespace {

constexpr int64_t kMaxFixedBytes = int64_t{1} << 20;
constexpr int64_t kMaxDecimalDigits = 76;

struct Simple {
  std::string_view format;
  Kind kind;
  Physical physical;
  TimeUnit unit = TimeUnit::none;
};

// Formats without parameters. Timestamps end in ':' and a timezone, see below.
constexpr Simple kSimple[] = {
    {"b", Kind::boolean, Physical::boolean},
    {"c", Kind::number, Physical::int8},
    {"C", Kind::number, Physical::uint8},
    {"s", Kind::number, Physical::int16},
    {"S", Kind::number, Physical::uint16},
    {"i", Kind::number, Physical::int32},
    {"I", Kind::number, Physical::uint32},
    {"l", Kind::number, Physical::int64},
    {"L", Kind::number, Physical::uint64},
    {"e", Kind::number, Physical::float16},
    {"f", Kind::number, Physical::float32},
    {"g", Kind::number, Physical::float64},
    {"u", Kind::category, Physical::offsets32},
    {"z", Kind::category, Physical::offsets32},
    {"U", Kind::category, Physical::offsets64},
    {"Z", Kind::category, Physical::offsets64},
    {"vu", Kind::category, Physical::views},
    {"vz", Kind::category, Physical::views},
    {"tdD", Kind::time, Physical::int32, TimeUnit::day},
    {"tdm", Kind::time, Physical::int64, TimeUnit::milli},
    {"tts", Kind::time, Physical::int32, TimeUnit::second},
    {"ttm", Kind::time, Physical::int32, TimeUnit::milli},
    {"ttu", Kind::time, Physical::int64, TimeUnit::micro},
    {"ttn", Kind::time, Physical::int64, TimeUnit::nano},
    {"tDs", Kind::time, Physical::int64, TimeUnit::second},
    {"tDm", Kind::time, Physical::int64, TimeUnit::milli},
    {"tDu", Kind::time, Physical::int64, TimeUnit::micro},
    {"tDn", Kind::time, Physical::int64, TimeUnit::nano},
    {"tss", Kind::time, Physical::int64, TimeUnit::second},
    {"tsm", Kind::time, Physical::int64, TimeUnit::milli},
    {"tsu", Kind::time, Physical::int64, TimeUnit::micro},
    {"tsn", Kind::time, Physical::int64, TimeUnit::nano},
};

const Simple* find_simple(std::string_view text) {
  for (const Simple& simple : kSimple) {
    if (simple.format == text) return &simple;
  }
  return nullptr;
}

[[noreturn]] void refuse_format(std::string_view text, const std::string& grammar, const Place& place) {
  refuse(place, "format is " + quoted(text) + ", expected " + grammar);
}

/// Takes a decimal integer off the front of `text`; false if there is none in [least, most].
bool take_integer(std::string_view& text, int64_t least, int64_t most, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < least || value > most) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

int32_t parse_width(std::string_view text, int64_t most, const Place& place) {
  std::string_view rest = text.substr(text.find(':') + 1);
  int64_t width = 0;
  if (!take_integer(rest, 0, most, width) || !rest.empty()) {
    refuse_format(text, "a colon and a width of 0 to " + std::to_string(most), place);
  }
  return static_cast<int32_t>(width);
}

Type parse_decimal(std::string_view text, const Place& place) {
  std::string_view rest = text.substr(2);
  int64_t precision = 0, scale = 0, bits = 128;
  const bool read =
      take_integer(rest, 1, kMaxDecimalDigits, precision) && take(rest, ",") &&
      take_integer(rest, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), scale) &&
      (rest.empty() || (take(rest, ",") && take_integer(rest, 32, 256, bits)));
  if (!read || !rest.empty() || (bits != 32 && bits != 64 && bits != 128 && bits != 256)) {
    refuse_format(text,
                  "d:PRECISION,SCALE or d:PRECISION,SCALE,BITS with a precision of 1 to 76 and 32, 64, 128 "
                  "or 256 bits",
                  place);
  }
  Type type{.kind = Kind::number, .physical = Physical::decimal};
  type.width = static_cast<int32_t>(bits / 8);
  type.scale = static_cast<int32_t>(scale);
  return type;
}

void check_union(std::string_view text, const Place& place) {
  std::string_view rest = text.substr(4);
  for (bool more = !rest.empty(); more; more = !rest.empty()) {
    int64_t id = 0;
    if (!take_integer(rest, 0, 127, id) || (!rest.empty() && (!take(rest, ",") || rest.empty()))) {
      refuse_format(text, "type ids of 0 to 127 with commas between them", place);
    }
  }
}

}  // namespace

Format parse_format(const char* format, const Place& place) {
  if (!format) refuse(place, "format is NULL");
  const std::string_view text = format;
  if (text.empty()) refuse(place, "format is empty");
  Format out;

  if (text.starts_with("ts") && text.size() >= 3 && find_simple(text.substr(0, 3))) {
    if (text.size() < 4 || text[3] != ':')
      refuse_format(text, "a colon and a timezone, perhaps empty", place);
    const Simple& simple = *find_simple(text.substr(0, 3));
    out.type = {.kind = simple.kind, .physical = simple.physical, .unit = simple.unit};
    out.timezone = text.substr(4);
  } else if (const Simple* simple = find_simple(text)) {
    out.type = {.kind = simple->kind, .physical = simple->physical, .unit = simple->unit};
  } else if (text == "n") {
    out.type.null_type = true;
  } else if (text.starts_with("w:")) {
    out.type = {.kind = Kind::category, .physical = Physical::fixed_bytes};
    out.type.width = parse_width(text, kMaxFixedBytes, place);
  } else if (text.starts_with("d:")) {
    out.type = parse_decimal(text, place);
  } else if (text == "+s") {
    out.nesting = Nesting::structure;
  } else if (text == "+r") {
    out.nesting = Nesting::run_end;
  } else if (text.starts_with("+w:")) {
    out.nesting = Nesting::fixed_list;
    out.type.width = parse_width(text, std::numeric_limits<int32_t>::max(), place);
  } else if (text == "+l" || text == "+L" || text == "+vl" || text == "+vL" || text == "+m") {
    out.nesting = Nesting::list;
  } else {
    if (text.starts_with("+ud:") || text.starts_with("+us:")) check_union(text, place);
    out.nesting = Nesting::any;
  }
  return out;
}

bool is_integer(Physical physical) { return physical >= Physical::int8 && physical <= Physical::uint64; }

bool is_float(Physical physical) { return physical >= Physical::float16 && physical <= Physical::float64; }

int64_t value_width(Physical physical) {
  switch (physical) {
    case Physical::int8:
    case Physical::uint8:
      return 1;
    case Physical::int16:
    case Physical::uint16:
    case Physical::float16:
      return 2;
    case Physical::int32:
    case Physical::uint32:
    case Physical::float32:
      return 4;
    case Physical::int64:
    case Physical::uint64:
    case Physical::float64:
      return 8;
    case Physical::views:
      return 16;
    default:
      return 0;
  }
}

int64_t value_width(const Type& type) {
  const bool own_width = type.physical == Physical::decimal || type.physical == Physical::fixed_bytes;
  return own_width ? type.width : value_width(type.physical);
}

}  // namespace tidegauge::arrow
