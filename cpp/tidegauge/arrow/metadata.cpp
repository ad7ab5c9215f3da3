#include "tidegauge/arrow/metadata.hpp"

#include "tidegauge/arrow/bits.hpp"

namespace tidegauge::arrow {
namespace {

constexpr int64_t kMaxPairs = 65'536;
constexpr int64_t kMaxBytes = int64_t{1} << 20;

std::string_view take_text(const char* metadata, int64_t& at, const char* what, const Place& place) {
  const auto size = int64_t{load<int32_t>(metadata + at, 0)};
  at += 4;
  require_between(place, what, size, 0, kMaxBytes - at);
  at += size;
  return {metadata + at - size, static_cast<size_t>(size)};
}

}  // namespace

std::string parse_extension_name(const char* metadata, const Place& place) {
  if (!metadata) return "";
  const Place inside = place.inside("metadata");
  const auto n_pairs = int64_t{load<int32_t>(metadata, 0)};
  require_between(inside, "number of pairs", n_pairs, 0, kMaxPairs);
  std::string name;
  int64_t at = 4;
  for (int64_t i = 0; i < n_pairs; ++i) {
    const std::string_view key = take_text(metadata, at, "length of a key", inside);
    const std::string_view value = take_text(metadata, at, "length of a value", inside);
    if (key == "ARROW:extension:name") name = value;
  }
  return name;
}

}  // namespace tidegauge::arrow
