#include "tidegauge/arrow/place.hpp"

#include "tidegauge/base/error.hpp"

namespace tidegauge::arrow {
namespace {

constexpr size_t kShownBytes = 100;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

/// The length of the UTF-8 sequence that starts at text[at], or 0 where there is none. Overlong forms,
/// surrogates and code points past U+10FFFF are none.
size_t sequence_length(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[at + i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[at + 1]);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return length;
}

std::string rendered(const Place& place) {
  std::string text = place.outside && place.outside->outside ? rendered(*place.outside) + ", " : "";
  text += place.what;
  if (place.name.data()) text.append(" ").append(quoted(place.name));
  if (place.number >= 0) text.append(" ").append(std::to_string(place.number));
  return text;
}

}  // namespace

std::string quoted(std::string_view text) {
  size_t shown = text.size();
  if (shown > kShownBytes) {
    shown = kShownBytes;
    while (shown > kShownBytes - 3 && is_continuation(text[shown])) --shown;
  }
  constexpr const char* digits = "0123456789abcdef";
  std::string out = "\"";
  for (size_t at = 0; at < shown;) {
    const size_t length = sequence_length(text.substr(0, shown), at);
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool c1_control = byte == 0xc2 && length == 2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
    if (length == 0 || byte < 0x20 || byte == 0x7f || c1_control) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      ++at;
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  return out + (shown < text.size() ? "...\"" : "\"");
}

void refuse(const Place& place, const std::string& wrong) {
  throw ArrowError(
      "Arrow data refused: " + rendered(place) + ": " + wrong +
      ". Its producer breaks the Arrow C Data Interface: update it, or hand over a copy made through "
      "Arrow IPC or Parquet");
}

void require_between(const Place& place, const char* what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  refuse(place, std::string(what) + " is " + std::to_string(value) + ", allowed are " +
                    std::to_string(least) + " to " + std::to_string(most));
}

}  // namespace tidegauge::arrow
